"""3, of Idempotency-Keys: one names one accepted request, until it runs out.

In a run shorter than the 24 hours of a key it names one for good. Where a history says that keys ran out (`KeysAged`),
each stretch of time between has a request of its own.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from bench.checker.facts import Facts
from bench.checker.report import Findings
from bench.checker.requests import Asked
from bench.checker.system import REQUESTS

_CLOCK_MS: Final = 2
"""Times are rounded to a millisecond: so near to each other, either may have been the first."""

Key = tuple[str, str]


@dataclass(slots=True)
class _Used:
    """What the records with one key came to. A replay leaves no time of its own."""

    accepted: list[tuple[int, Asked]] = field(default_factory=list)
    replayed: list[Asked] = field(default_factory=list)
    refused: list[tuple[int, Asked]] = field(default_factory=list)


def judge(facts: Facts, found: Findings) -> None:
    """Key by key."""
    held = {(row.org, row.key): row.job for row in facts.snapshot.tables.idempotency_keys}
    aged, unknown = _aged(facts)
    for key, used in _used(facts).items():
        if key in unknown:
            found.notes["Idempotency-Keys that may have run out or not"] += 1
        elif key in aged:
            found.notes["Idempotency-Keys that ran out"] += 1
            _in_turn(found, used, aged[key])
        else:
            _for_good(found, used, held.get(key))


def _for_good(found: Findings, used: _Used, named: str | None) -> None:
    for what, asked in (("accepted", [one for _, one in used.accepted]), ("replayed", used.replayed)):
        for one in asked:
            found.expect(named == one.job, _place(one), f"{what} {one.job}, but its Idempotency-Key names {named}")
    for _, one in used.refused:
        fine = named is not None and named != one.job
        found.expect(fine, _place(one), f"IDEMPOTENCY_CONFLICT, but its Idempotency-Key names {named}")


def _in_turn(found: Findings, used: _Used, ends: list[int]) -> None:
    accepted = sorted(used.accepted, key=lambda one: one[0])
    for (before, earlier), (after, later) in pairwise(accepted):
        ran_out = any(before - _CLOCK_MS <= end <= after + _CLOCK_MS for end in ends)
        found.expect(
            ran_out or earlier.job == later.job,
            _place(later),
            f"accepted {later.job}, though its Idempotency-Key named {earlier.job} and had not run out",
        )
    for at, one in used.refused:
        # Whoever replayed it may have taken the key at any time.
        holders = [two for two in used.replayed if two.job != one.job]
        holders += [
            two
            for since, two in accepted
            if two.job != one.job
            and since <= at + _CLOCK_MS
            and not any(since + _CLOCK_MS < end < at - _CLOCK_MS for end in ends)
        ]
        found.expect(bool(holders), _place(one), "IDEMPOTENCY_CONFLICT, though its Idempotency-Key had run out")


def _aged(facts: Facts) -> tuple[Mapping[Key, list[int]], set[Key]]:
    """When each key ran out, and those of which nobody knows."""
    aged: dict[Key, list[int]] = defaultdict(list)
    unknown: set[Key] = set()
    for entry in facts.snapshot.history.keys_aged:
        for text in entry.keys:
            org, _, key = text.partition(" ")
            if entry.certain:
                aged[org, key].append(entry.at_ms)
            else:
                unknown.add((org, key))
    return aged, unknown


def _used(facts: Facts) -> Mapping[Key, _Used]:
    found: dict[Key, _Used] = defaultdict(_Used)
    for one in facts.asked:
        if one.kind != "clone" or one.idempotency_key is None or one.job is None:
            continue
        used = found[one.org or "", one.idempotency_key]
        decision = next(iter(facts.decisions(one)), None)
        if decision == "accepted":
            used.accepted.append((facts.claim_at[one.place][0].accepted_at_ms, one))
        elif decision == "replayed":
            used.replayed.append(one)
        else:
            used.refused += [
                (refusal.refused_at_ms, one)
                for refusal in facts.refusal_at.get(one.place, ())
                if refusal.code == "IDEMPOTENCY_CONFLICT"
            ]
    return found


def _place(one: Asked) -> str:
    return f"{REQUESTS}/{one.place[0]}/{one.place[1]}"
