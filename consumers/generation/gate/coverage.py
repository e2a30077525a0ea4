"""The bars on which facts a set states: one in most of its variations, three over five of them. Pure."""

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from consumers.generation.gate.finding import Finding
from consumers.generation.planning.brief import VariationBrief
from consumers.generation.texts import is_content, words

OVER: Final = 5
LEAST_FACTS: Final = 3
# A fact is told in its own words or with other forms of them: "sinks in" as "to sink in".
_ENOUGH: Final = 0.6
_STEM: Final = 4


def stated(text: str, facts: Sequence[str]) -> frozenset[str]:
    """The facts that a text states."""
    row = words(text)
    stems = {word[:_STEM] for word in row}
    return frozenset(fact for fact in facts if _follows(words(fact)[1:], row) or _told(fact, stems))


def coverage(
    said: Collection[str],
    before: Collection[str],
    facts: Sequence[str],
    brief: VariationBrief,
    *,
    variations: int,
    alone: bool,
) -> Iterator[Finding]:
    """What a variation that states `said`, after siblings that state `before`, leaves its set short of.

    `facts` are those that the brand gives and the gate lets pass. That most variations state one is planned: those
    whose brief owes one are more than half of a set, however large. So is which one, where the siblings may be written
    anywhere else (`alone`); a variation that knows what stands before it has only to bring what is still missing.
    """
    owed = brief.owed_fact(facts)
    if owed is not None and not said:
        yield Finding("facts_in_most", "caption", f"states no fact of the brand; its turn has: {owed}")
    if variations < OVER:
        return
    if alone:
        if owed is not None and brief.fact_turn < LEAST_FACTS and owed not in said:
            yield Finding("facts_over_five", "caption", f"does not state the fact whose turn it is: {owed}")
        return
    left = max(0, OVER - 1 - brief.index)
    known = set(before)
    if len(known | set(said)) + left < min(LEAST_FACTS, len(facts)) and not set(said) - known:
        yield Finding("facts_over_five", "caption", "states no fact that its set has not stated yet")


def _follows(run: list[str], row: list[str]) -> bool:
    return bool(run) and any(row[i : i + len(run)] == run for i in range(len(row) - len(run) + 1))


def _told(fact: str, stems: Collection[str]) -> bool:
    telling = [word for word in words(fact) if is_content(word) or word.isdigit()]
    return bool(telling) and sum(word[:_STEM] in stems for word in telling) >= _ENOUGH * len(telling)
