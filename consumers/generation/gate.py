"""What a variation must not be, checked before it is accepted. Pure. A failed variation shows the bar's name.

The brand's own name, product and call to action are its to say, wherever else they stand: they are left out of the
bars on quoting and on form.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from consumers.generation.texts import STOP_WORDS, words

_RUN: Final = 5
_FLAWS: Final = re.compile(r"[{}<>\[\]]|\b(\w+) \1\b|\s[,.!?]|[,.]{2,}|  ", re.IGNORECASE)
_FIGURE: Final = re.compile(r"\d+(?:[.,]\d+)*")
_FACTS: Final = ("benefits", "proof")


def usable_brand(brand: Mapping[str, Any], *, source_text: str) -> dict[str, Any]:
    """The brand without the facts that may not be used here: what the source says as well, or what it bans itself."""
    banned = _banned(brand)
    usable = dict(brand)
    for name in _FACTS:
        facts = brand.get(name)
        usable[name] = [
            fact
            for fact in (facts if isinstance(facts, list) else ())
            if isinstance(fact, str) and not quotes(fact, source_text) and not banned & set(words(fact))
        ]
    audience = brand.get("audience")
    if isinstance(audience, str) and quotes(audience, source_text):
        del usable["audience"]
    return usable


def failed_bar(texts: Mapping[str, str], *, source_text: str, brand: Mapping[str, Any]) -> str | None:
    """The first bar that these texts (hook, caption, cta, voiceOverScript) miss, or None."""
    if any(not text.strip() for text in texts.values()):
        return "empty"
    if any(_FLAWS.search(piece) for text in texts.values() for piece in _without(text, _strings(brand))):
        return "reads_as_written"
    if any(quotes(piece, source_text) for text in texts.values() for piece in _without(text, _own(brand))):
        return "quoting"
    banned = _banned(brand)
    if any(banned & set(words(piece)) for text in texts.values() for piece in _without(text, _own(brand))):
        return "banned_words"
    given = set(_FIGURE.findall(" ".join(_strings(brand))))
    if any(set(_FIGURE.findall(text)) - given for text in texts.values()):
        return "facts"
    if str(brand.get("name") or "").lower() not in " ".join(texts.values()).lower():
        return "brand_unnamed"
    return None


def quotes(text: str, source_text: str) -> bool:
    """Whether five words in a row, or four with two that carry meaning, stand in the source as well."""
    mine, theirs = words(text), words(source_text)
    for length, meaning in ((_RUN, 0), (_RUN - 1, 2)):
        runs = {tuple(theirs[i : i + length]) for i in range(len(theirs) - length + 1)}
        for i in range(len(mine) - length + 1):
            run = tuple(mine[i : i + length])
            if run in runs and sum(word not in STOP_WORDS for word in run) >= meaning:
                return True
    return False


def _without(text: str, own: Sequence[str]) -> list[str]:
    """The pieces of the text between the brand's own words."""
    longest_first = sorted((one.strip() for one in own if one.strip()), key=len, reverse=True)
    return re.split("|".join(map(re.escape, longest_first)), text, flags=re.IGNORECASE) if longest_first else [text]


def _own(brand: Mapping[str, Any]) -> list[str]:
    cta = brand.get("cta")
    given = [brand.get("name"), brand.get("product"), cta.get("text") if isinstance(cta, Mapping) else None]
    return [text for text in given if isinstance(text, str)]


def _banned(brand: Mapping[str, Any]) -> set[str]:
    return {word for entry in _strings(brand.get("bannedWords")) for word in words(entry)}


def _strings(value: object) -> Sequence[str]:
    if isinstance(value, str):
        return [value]
    children = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return [text for child in children for text in _strings(child)]
