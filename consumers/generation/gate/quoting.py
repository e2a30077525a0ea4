"""The bar on quoting: the source is an input, never quoted and never republished. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from rapidfuzz import fuzz, process

from consumers.generation.analysis.calls import call_kind
from consumers.generation.gate.finding import Finding
from consumers.generation.gate.own import pieces
from consumers.generation.gate.source import SourceText, figures, runs_of
from consumers.generation.texts import content_words, handles, links, sentences, words

BAR: Final = "quoting"
_MOST_ALIKE: Final = 70
_FEW, _MANY = 8, 20
_MOST_OF_FEW, _MOST_OF_MANY = 0.50, 0.35


def quoting(
    field: str, text: str, source: SourceText, own: Sequence[str], given_figures: set[str]
) -> Iterator[Finding]:
    """Every way in which one text repeats the source. `own` is the brand's to say, `given_figures` its figures."""
    parts = pieces(text, own)
    if any(runs_of(words(part)) & source.runs for part in parts):
        yield Finding(BAR, field, "repeats a run of words of the source")
    content = {word for part in parts for word in content_words(part)}
    share = len(content & source.content) / len(content) if content else 0.0
    if len(content) >= _FEW and share > (_MOST_OF_MANY if len(content) >= _MANY else _MOST_OF_FEW):
        yield Finding(BAR, field, f"{share:.0%} of its content words are the source's")
    # Every call to action sounds like every other; its runs of words are judged above all the same.
    told = [" ".join(pieces(sentence, own)) for sentence in sentences(text) if call_kind(sentence) is None]
    if any(alike(sentence, source) for sentence in told):
        yield Finding(BAR, field, "has a sentence close to one of the source")
    yield from _own_of_the_source(field, text, parts, source, given_figures)


def alike(sentence: str, source: SourceText) -> bool:
    """Whether a sentence is a source sentence in another order or with a word changed."""
    mine = " ".join(words(sentence))
    if mine.count(" ") < 1:
        return False
    found = process.extractOne(mine, source.sentences, scorer=fuzz.token_sort_ratio, score_cutoff=_MOST_ALIKE + 0.01)
    return found is not None


def _own_of_the_source(
    field: str, text: str, parts: Sequence[str], source: SourceText, given_figures: set[str]
) -> Iterator[Finding]:
    joined = " ".join(parts)
    if source.marks & {*handles(joined), *(link.lower() for link in links(joined))}:
        yield Finding(BAR, field, "names a handle, hashtag or link of the source")
    if (figures(text) - given_figures) & source.figures:
        yield Finding(BAR, field, "repeats a figure of the source")
    if source.names:
        capitals = {word.lower() for word in joined.split() if word[:1].isupper()}
        if source.names & {word.strip("\"'“”‘’.,:;!?()").removesuffix("'s") for word in capitals}:
            yield Finding(BAR, field, "repeats a name of the source")
