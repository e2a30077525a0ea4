"""The bars between the variations of one job. Pure."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from consumers.generation.gate.coverage import stated
from consumers.generation.gate.finding import Finding
from consumers.generation.texts import sentences, words

_FIVE: Final = 5
_TEN: Final = 10
_MOST_JACCARD: Final = 0.35
_PLAIN_WORDS: Final = 80
_SMOOTH: Final = 0.1
_ORDER: Final = 4


@dataclass(frozen=True, slots=True)
class Member:
    """One variation of a set, counted once: `hook` as it stands, `skeleton` with brand and product masked, `facts`
    those of the brand that it states.
    """

    hook: str
    skeleton: str
    words: tuple[str, ...]
    lines: frozenset[str]
    grams: tuple[Counter[tuple[str, ...]], ...]
    facts: frozenset[str]


def member(hook: str, caption: str, script: str, own: Sequence[str], facts: Sequence[str] = ()) -> Member:
    """The member that these texts make. The brand's own words and overrides (given as empty) are no one's copy."""
    row = tuple(_named(masked(f"{caption} {script}", own)))
    return Member(
        hook=hook,
        skeleton=masked(hook, own),
        words=row,
        lines=frozenset(" ".join(said) for line in sentences(script) if len(said := words(masked(line, own))) >= _FIVE),
        grams=tuple(Counter(row[i : i + order] for i in range(len(row) - order + 1)) for order in range(1, _ORDER + 1)),
        facts=stated(f"{caption} {script}", facts),
    )


def _named(text: str) -> list[str]:
    """The words, with each name of the brand's as one, however many it has."""
    return words(text.replace("@", " brandname "))


def masked(text: str, own: Sequence[str]) -> str:
    """The text with the brand's own words as one sign, in lower case."""
    masked_text = text.lower()
    for one in sorted(own, key=len, reverse=True):
        masked_text = masked_text.replace(one.lower(), "@")
    return masked_text


def between(mine: Member, others: Sequence[Member]) -> Iterator[Finding]:
    """What one variation does wrong beside the others of its set that came before it."""
    if not others:
        return
    if any(mine.hook == other.hook or mine.skeleton == other.skeleton for other in others):
        yield Finding("hooks_differ", "hook", "another variation has it")
    if any(mine.lines & other.lines for other in others):
        yield Finding("sentences_differ", "voiceOverScript", "another variation has one of its sentences")
    if any(jaccard(mine.words, other.words) > _MOST_JACCARD for other in others):
        yield Finding("jaccard", "voiceOverScript", "shares too many words with another variation")
    everyone = [*others, mine]
    if self_bleu(everyone) > most_self_bleu(len(everyone)):
        yield Finding("self_bleu", "voiceOverScript", "the set repeats itself")
    if distinct_2(everyone) < least_distinct_2(everyone):
        yield Finding("distinct_2", "voiceOverScript", "the set repeats its pairs of words")


def jaccard(mine: Sequence[str], theirs: Sequence[str]) -> float:
    """The share of the words of both that stand in each."""
    a, b = set(mine), set(theirs)
    return len(a & b) / len(a | b) if a | b else 0.0


def most_self_bleu(size: int) -> float:
    """0.20 up to five variations, 0.28 at ten."""
    return 0.20 + 0.08 * max(0, min(size, _TEN) - _FIVE) / _FIVE


def self_bleu(members: Sequence[Member]) -> float:
    """The mean BLEU-4 of each against all others, without a penalty for length; 0 is no overlap."""
    if len(members) < 2:
        return 0.0
    return sum(_bleu(mine, [other for other in members if other is not mine]) for mine in members) / len(members)


def least_distinct_2(members: Sequence[Member]) -> float:
    """0.88 up to five variations, 0.84 at ten, and less for longer texts, which repeat by nature."""
    size, length = len(members), sum(len(one.words) for one in members) / len(members)
    least = 0.88 - 0.04 * max(0, min(size, _TEN) - _FIVE) / _FIVE
    return least - 0.03 * max(0.0, math.log2(length / _PLAIN_WORDS)) if length else least


def distinct_2(members: Sequence[Member]) -> float:
    """The share of pairs of words that are different ones, over the whole set."""
    total = sum(sum(one.grams[1].values()) for one in members)
    return len(set().union(*(one.grams[1] for one in members))) / total if total else 1.0


def _bleu(mine: Member, others: Sequence[Member]) -> float:
    logs = 0.0
    for order in range(_ORDER):
        counts = mine.grams[order]
        total = sum(counts.values())
        if not total:
            return 0.0
        clipped = sum(min(count, max(other.grams[order][gram] for other in others)) for gram, count in counts.items())
        logs += math.log(max(clipped, _SMOOTH) / total) / _ORDER
    return math.exp(logs)
