"""What a post is about, without its sentences: single nouns, and themes in words of our own. Pure."""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Final

from consumers.generation.analysis.signs_files import read
from consumers.generation.texts import content_words

_MOST: Final = 8
_THEMES: Final = 3
# Not nouns in all likelihood, so no topic of a sentence.
_NO_TOPIC: Final = re.compile(r"(?:ly|ed|'.*|ing|est|ous|ful)$")
_LETTERS: Final = re.compile(r"[^\W\d_]{3,}")


@dataclass(frozen=True, slots=True)
class Premise:
    """Keywords, most telling first, and themes."""

    keywords: tuple[str, ...]
    themes: tuple[str, ...]


def premise(text: str, *, names: frozenset[str]) -> Premise:
    """The premise of a text. Names are no premise: they are the source's own."""
    counts = Counter(word for word in content_words(text) if _LETTERS.fullmatch(word) and word not in names)
    lexicon = _theme_of()
    themes: Counter[str] = Counter()
    for word, count in counts.items():
        for theme in lexicon.get(word, ()):
            themes[theme] += count
    for theme, signs in _signs_inside().items():
        if any(sign in text for sign in signs):
            themes[theme] += 1
    order = {word: position for position, word in enumerate(counts)}
    ranked = sorted(
        counts, key=lambda word: (word not in lexicon, bool(_NO_TOPIC.search(word)), -counts[word], order[word])
    )
    return Premise(tuple(ranked[:_MOST]), tuple(theme for theme, _ in themes.most_common(_THEMES)))


def theme_nouns(theme: str, language: str) -> tuple[str, ...]:
    """The nouns of a theme in a language, the most usual first."""
    return tuple(str(read("themes").get(theme, {}).get(language, "")).split())


@cache
def theme_words(theme: str, language: str) -> frozenset[str]:
    """The same, to look words up in."""
    return frozenset(theme_nouns(theme, language))


def theme_phrase(theme: str, language: str) -> str | None:
    """How copy speaks of a theme."""
    found = read("themes").get(theme, {}).get("say", {}).get(language)
    return None if found is None else str(found)


@cache
def _theme_of() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for theme, entry in read("themes").items():
        for language in ("en", "es", "de"):
            for word in entry[language].split():
                found[word] = (*found.get(word, ()), theme)
    return found


@cache
def _signs_inside() -> dict[str, tuple[str, ...]]:
    return {theme: tuple(entry["other"].split()) for theme, entry in read("themes").items()}


def is_noun_of(word: str, language: str) -> bool:
    """Whether a word is known to be a noun of a language."""
    return any(word in theme_words(theme, language) for theme in read("themes"))
