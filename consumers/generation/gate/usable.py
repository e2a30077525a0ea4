"""Which of a brand's facts may be used beside a source, in a layer's language. Pure."""

import re
from collections.abc import Mapping
from typing import Any, Final

from consumers.generation.gate.banned import banned_of, banned_pattern
from consumers.generation.gate.form import form
from consumers.generation.gate.own import own_texts, strings
from consumers.generation.gate.quoting import quoting
from consumers.generation.gate.source import SourceText, figures
from consumers.generation.texts import STOP_WORDS_OF, language_of, sentence_case

FACT_LISTS: Final = ("benefits", "proof")
_SINGLE: Final = ("audience",)
_USUAL_LANGUAGE: Final = "en"
_UNSAYABLE: Final = re.compile(r"[{}<>\[\]|\\\n\r\t#@]|https?:|&\w+;|[.!?] +\S")
_MOST_WORDS: Final = 18


def usable_brand(brand: Mapping[str, Any], source: SourceText, language: str) -> dict[str, Any]:
    """The brand without the facts that the source states as well, that use a word which the brand bans itself, that no
    sentence can carry, or that are in another language than the layer's: a creative speaks one.
    """
    banned = banned_pattern(banned_of(brand.get("bannedWords")))
    speaks = spoken_by(brand)
    own = own_texts(brand)

    def usable(fact: object) -> bool:
        return (
            isinstance(fact, str)
            and sayable(fact)
            and next(form("", sentence_case(fact.strip()), own, language), None) is None
            and next(quoting("", fact, source, (), figures(fact)), None) is None
            and (banned is None or not banned.search(fact))
            and (language not in STOP_WORDS_OF or is_in(fact, language, speaks))
        )

    kept = dict(brand)
    for name in FACT_LISTS:
        facts = brand.get(name)
        kept[name] = [fact for fact in facts if usable(fact)] if isinstance(facts, list) else []
    for name in _SINGLE:
        if name in brand and not usable(brand[name]):
            del kept[name]
    return kept


def facts_of(brand: Mapping[str, Any]) -> tuple[str, ...]:
    """What a usable brand says of itself."""
    return tuple(dict.fromkeys(fact for name in FACT_LISTS for fact in strings(brand.get(name))))


def sayable(fact: str) -> bool:
    """Whether a sentence can carry it: a plain phrase, no markup, no sentences, not very long."""
    text = " ".join(fact.split()).rstrip(".!;,: ")
    return bool(text) and not _UNSAYABLE.search(text) and len(text.split()) <= _MOST_WORDS


def spoken_by(brand: Mapping[str, Any]) -> str | None:
    """The language that a brand describes itself in; None where it says too little."""
    return language_of(" ".join(strings([brand.get(key) for key in (*FACT_LISTS, "audience", "cta")])))


def is_in(text: str, language: str, speaks: str | None) -> bool:
    """Whether a text is in a language; one that does not tell goes by the rest of the brand, which is else English."""
    return (language_of(text) or speaks or _USUAL_LANGUAGE) == language
