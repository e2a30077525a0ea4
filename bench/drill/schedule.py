"""Which fault happens when: a pure function of the seed."""

import random
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from bench.drill.faults import KINDS, PLACES, PROCESSES, ZOMBIE_PLACES

_PHASE_SECONDS: Final = (12.0, 25.0)
_SHARES: Final = (0.0, 0.2, 0.35, 0.5, 0.5, 0.8)
"""Of all kinds so many are in a phase: none at times, nearly all at others."""
_OUTAGES: Final = 0.3
"""In so many of the phases a kind that stops everything may come."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: `at_seconds` after the start, for `seconds` (0: it is over at once). `detail` is the kind's own."""

    at_seconds: float
    kind: str
    target: str
    seconds: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of time and the kinds that may come in it."""

    start_seconds: float
    end_seconds: float
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Schedule:
    """All of a drill's faults, in the order of their beginnings."""

    seconds: float
    phases: tuple[Phase, ...]
    faults: tuple[Fault, ...]


def schedule(seed: int, seconds: float, kinds: Collection[str]) -> Schedule:
    """Draw phases with a random subset of `kinds` each, and their faults. The same arguments give the same schedule."""
    source = random.Random(f"faults/{seed}")  # noqa: S311 -- repeatable on purpose
    phases: list[Phase] = []
    faults: list[Fault] = []
    start = 0.0
    while start < seconds:
        end = min(start + source.uniform(*_PHASE_SECONDS), seconds)
        share = source.choice(_SHARES)
        outages = source.random() < _OUTAGES
        drawn = [kind for kind in sorted(kinds) if source.random() < share]
        phase = Phase(start, end, tuple(kind for kind in drawn if outages or not KINDS[kind].stops_everything))
        phases.append(phase)
        for kind in phase.kinds:
            faults += _faults(source, kind, phase)
        start = end
    return Schedule(seconds, tuple(phases), tuple(sorted(faults, key=lambda fault: (fault.at_seconds, fault.kind))))


def _faults(source: random.Random, name: str, phase: Phase) -> list[Fault]:
    kind = KINDS[name]
    found: list[Fault] = []
    if not kind.targets:
        return found
    at = phase.start_seconds
    while (at := at + source.expovariate(1 / kind.gap_seconds)) < phase.end_seconds:
        target = source.choice(kind.targets)
        lasts = source.uniform(kind.least_seconds, kind.most_seconds)
        found.append(Fault(round(at, 6), name, target, round(lasts, 3), _detail(source, name, target)))
    return found


def _detail(source: random.Random, kind: str, target: str) -> str:
    if kind in ("failpoint", "failpoint-freeze"):
        action = "stop" if kind.endswith("freeze") else "kill"
        place = source.choice(PLACES[PROCESSES[target]])
        return f"{place}={action}@{source.choice((1, 1, 2, 3))}"
    if kind == "zombie":
        return f"{source.choice(ZOMBIE_PLACES[PROCESSES[target]])}=stop@{source.choice((1, 1, 2, 3))}"
    if kind == "delay":
        return f"{source.uniform(0.05, 0.5):.3f}"
    if kind == "lost-end-txn":
        return source.choice(("cut", "silent"))
    return ""
