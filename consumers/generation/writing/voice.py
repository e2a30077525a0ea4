"""A brand as copy uses it: its names, its typed facts, what it asks for, how it speaks. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from consumers.generation.gate.banned import banned_of, banned_pattern
from consumers.generation.gate.own import strings
from consumers.generation.gate.usable import FACT_LISTS, is_in, spoken_by
from consumers.generation.planning.capability import Capability, capability
from consumers.generation.texts import words
from consumers.generation.writing.facts import Fact, bare, typed
from consumers.generation.writing.lexicon import ANYTHING, Lexicon

_MASS_NOUNS: Final = (
    "coffee tea food software water oil insurance furniture jewelry jewellery skincare clothing yoga coaching "
    "wine beer milk honey soap shampoo bread chocolate bedding luggage equipment advice cheese pasta rice sauce "
    "powder detergent haircare makeup training care therapy support hosting storage lighting underwear sportswear "
    "footwear apparel stationery yarn paper salt sugar butter cereal granola kombucha matcha juice lemonade soda"
)

_NAMELESS: Final = {"en": "This brand", "es": "Esta marca", "de": "Diese Marke"}
_CALM: Final = re.compile(
    r"\b(?:calm|plain|serious|professional|formal|expert|clinical|minimal|premium|sober|sereno|serio|profesional|"
    r"ruhig|sachlich|seriös)\w*",
    re.IGNORECASE,
)
_LIVELY: Final = re.compile(
    r"\b(?:play|fun|wit|humor|humour|bold|cheek|energ|quirk|divertid|alegre|atrevid|lustig|verspielt|frech|locker)\w*",
    re.IGNORECASE,
)
_MASS: Final = frozenset(_MASS_NOUNS.split())
_MOST_AUDIENCE_WORDS: Final = 10
_MOST_PRODUCT_WORDS: Final = 5
_PLAIN_PHRASE: Final = re.compile(r"[^\W_][\w' ’&+-]*", re.UNICODE)


@dataclass(frozen=True, slots=True)
class Voice:
    """What sentences about a brand are made from. Slots that it cannot fill are missing from `slots`."""

    name: str
    slots: Mapping[str, str]
    facts: tuple[Fact, ...]
    can: Capability
    cta_text: str | None
    about: tuple[str, ...]
    playful: bool | None
    preferred: frozenset[str]
    banned: re.Pattern[str] | None
    own: tuple[str, ...]


def voice(brand: Mapping[str, Any], lexicon: Lexicon) -> Voice:
    """The voice of a brand in a language. Facts in another language are left out: copy has one language."""
    language = lexicon.language
    name = _text(brand.get("name")) or _NAMELESS[language]
    speaks = spoken_by(brand)
    benefits, proof = (
        [text for text in strings(brand.get(key)) if is_in(text, language, speaks)] for key in FACT_LISTS
    )
    slots = {"brand": name}
    product = bare(_text(brand.get("product")))
    if _PLAIN_PHRASE.fullmatch(product) and len(product.split()) <= _MOST_PRODUCT_WORDS:
        if language == "en" and speaks in ("en", None):
            slots |= _product_en(product)
        elif speaks == language:
            slots["product"] = product
    audience = bare(_text(brand.get("audience")))
    if (
        _PLAIN_PHRASE.fullmatch(audience.replace(",", ""))
        and 0 < len(audience.split()) <= _MOST_AUDIENCE_WORDS
        and is_in(audience, language, speaks)
    ):
        slots["audience"] = audience
    cta = brand.get("cta")
    cta_text = _text(cta.get("text")) if isinstance(cta, Mapping) else ""
    keyword = _text(cta.get("keyword")) if isinstance(cta, Mapping) else ""
    if keyword:
        slots["keyword"] = keyword
    tone = " ".join(strings(brand.get("tone")))
    return Voice(
        name=name,
        slots=slots,
        facts=(*typed(benefits, language, gain=True), *typed(proof, language, gain=False)),
        can=capability({**brand, "benefits": benefits, "proof": proof}),
        cta_text=cta_text if cta_text and is_in(cta_text, language, speaks) else None,
        about=_about(brand, lexicon),
        playful=False if _CALM.search(tone) else True if _LIVELY.search(tone) else None,
        preferred=frozenset(word for entry in strings(brand.get("preferredWords")) for word in words(entry)),
        banned=banned_pattern(banned_of(brand.get("bannedWords"))),
        own=tuple(text for text in (name, slots.get("product"), slots.get("keyword")) if text),
    )


def _product_en(product: str) -> dict[str, str]:
    head = words(product)[-1]
    uncounted = head in _MASS or (head.endswith("ing") and head not in {"ring", "string"})
    plural = head.endswith("s") and not head.endswith(("ss", "us", "is"))
    return {
        "product": product,
        "a_product": product if uncounted or plural else f"{article_en(product)} {product}",
        "the_product": f"the {product}",
    }


def article_en(phrase: str) -> str:
    """a or an, by sound."""
    first = phrase.split()[0]
    lowered = first.lower()
    if first.isupper() and len(first) > 1 and first.isalpha():
        return "an" if first[0] in "AEFHILMNORSX" else "a"
    if re.match(r"(?:one|once|uni|use|user|usual|eu|ubiq)", lowered):
        return "a"
    if re.match(r"(?:hour|honest|heir|honou?r)", lowered) or lowered[0] in "aeiou":
        return "an"
    return "a"


def _about(brand: Mapping[str, Any], lexicon: Lexicon) -> tuple[str, ...]:
    """What the brand is about: topics by how many of their words it uses, its product counting most."""
    heavy = set(words(_text(brand.get("product"))))
    light = {
        word for key in ("benefits", "audience", "name") for text in strings(brand.get(key)) for word in words(text)
    }
    scores = {
        name: 3 * len(signs & heavy) + len(signs & light) for name, signs in lexicon.topics.items() if name != ANYTHING
    }
    best = sorted((name for name in scores if scores[name] > 0), key=lambda name: -scores[name])
    return tuple(name for name in best[:1] if scores[name] >= 2 or len(best) == 1)


def _text(value: object) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""
