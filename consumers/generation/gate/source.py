"""A source's text, prepared once for the bars on quoting. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from consumers.generation.texts import content_words, handles, is_content, language_of, links, plain, sentences, words

_CAPITALS_OF_NOBODY: Final = (
    "i i'm i'll i've i'd pov tv ok am pm diy usa us uk eu monday tuesday wednesday thursday friday saturday "
    "sunday january february march april may june july august september october november december christmas "
    "easter english spanish german french italian"
)

_RUN: Final = 5
_SHORT_RUN: Final = 4
_MEANING: Final = 2
_FIGURE: Final = re.compile(r"\d+(?:[.,:]\d+)*")
_WORD_IN_TEXT: Final = re.compile(r"(?<![\w#@])[^\W\d_]+(?:['’][^\W\d_]+)*")
# Capitals that name nobody.
_NO_NAMES: Final = frozenset(_CAPITALS_OF_NOBODY.split())
_CAPITALISED_SHARE: Final = 0.4


@dataclass(frozen=True, slots=True)
class SourceText:
    """What may not be repeated. Never logged, never shown."""

    runs: frozenset[tuple[str, ...]]
    content: frozenset[str]
    sentences: tuple[str, ...]
    marks: frozenset[str]
    names: frozenset[str]
    figures: frozenset[str]


def source_text(source: Mapping[str, Any]) -> SourceText:
    """The caption, the transcript and the shots' descriptions of a source post."""
    spoken = [str(part.get("text") or "") for part in _dicts(source.get("transcript"))]
    shown = [str(part.get("description") or "") for part in _dicts(source.get("shots"))]
    raw = "\n".join([str(source.get("caption") or ""), *spoken])
    said = [*sentences(plain(raw)), *sentences(plain("\n".join(shown)))]
    return SourceText(
        runs=frozenset(run for sentence in (plain(raw), *map(plain, shown)) for run in runs_of(words(sentence))),
        content=frozenset(content_words(plain(raw))),
        sentences=tuple(" ".join(words(sentence)) for sentence in said if len(words(sentence)) >= _MEANING),
        marks=frozenset([*handles(raw), *(link.lower() for link in links(raw))]),
        names=names_in(plain(raw)),
        figures=frozenset(_FIGURE.findall(plain(raw))),
    )


def runs_of(row: list[str]) -> set[tuple[str, ...]]:
    """The runs that would be a quote: five words, or four of which two carry meaning."""
    runs = {tuple(row[i : i + _RUN]) for i in range(len(row) - _RUN + 1)}
    for i in range(len(row) - _SHORT_RUN + 1):
        run = tuple(row[i : i + _SHORT_RUN])
        if sum(map(is_content, run)) >= _MEANING:
            runs.add(run)
    return runs


def figures(text: str) -> set[str]:
    """The figures in a text."""
    return set(_FIGURE.findall(text))


def names_in(text: str) -> frozenset[str]:
    """Words with a capital where grammar asks for none. Text that capitalises anyhow (titles, German) names nobody."""
    if language_of(text) == "de":
        return frozenset()
    found: set[str] = set()
    for sentence in sentences(text):
        row = [match.group() for match in _WORD_IN_TEXT.finditer(sentence)]
        capitals = [word for word in row[1:] if word[:1].isupper() and word[1:].islower() and len(word) > 2]
        if row and len(capitals) <= max(1, _CAPITALISED_SHARE * len(row)):
            found.update(word.lower().removesuffix("'s") for word in capitals)
    return frozenset(found - _NO_NAMES)


def _dicts(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
