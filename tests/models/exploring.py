"""Explores every state that a model can reach, and says what breaks as the shortest trace to it.

Two properties. Safety: `wrong` finds nothing in any reachable state. Liveness: from every reachable state, once faults
stop, every way of going on comes to `done`; a state with no way on and a circle that avoids `done` are counterexamples.
"""

from collections import deque
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Generic, NamedTuple, Protocol, TypeVar

S = TypeVar("S", bound=Hashable)


class Kind(Enum):
    """What sort of event a move is. Liveness is judged on the calm ones alone."""

    CALM = "calm"
    FAULT = "fault"
    OTHER = "other"
    """No fault, but not to be counted on: a standby that takes its turn although another leads."""


class Move(NamedTuple, Generic[S]):
    """One thing that can happen in a state."""

    label: str
    after: S
    kind: Kind = Kind.CALM


class Model(Protocol[S]):
    """A system of states. States are values: equal states are the same state."""

    def initial(self) -> S:
        """Where it begins."""
        ...

    def moves(self, state: S) -> Iterable[Move[S]]:
        """Everything that can happen next."""
        ...

    def wrong(self, state: S) -> str | None:
        """What must never be, if it is so here."""
        ...

    def done(self, state: S) -> bool:
        """Whether all that was promised has happened."""
        ...


@dataclass(frozen=True)
class Counterexample:
    """What breaks, and the events that lead to it."""

    what: str
    trace: Sequence[str]

    def __str__(self) -> str:
        """One event a line."""
        steps = (f"  {number:3}. {label}" for number, label in enumerate(self.trace, 1))
        return "\n".join([self.what, *steps])


@dataclass(frozen=True)
class Explored:
    """The size of what was searched, and the first thing that broke."""

    states: int
    moves: int
    broken: Counterexample | None


def explore(model: Model[S]) -> Explored:
    """Search breadth first. Ends early at the first wrong state; liveness is judged when there is none."""
    first = model.initial()
    number = {first: 0}
    came_from: list[tuple[int, str]] = [(0, "")]
    settled = [model.done(first)]
    calm: list[list[tuple[int, str]]] = []
    moves = 0
    waiting = deque([first])
    while waiting:
        state = waiting.popleft()
        here = len(calm)
        calm.append([])
        for label, after, kind in model.moves(state):
            moves += 1
            there = number.get(after)
            if there is None:
                there = number[after] = len(number)
                came_from.append((here, label))
                settled.append(model.done(after))
                waiting.append(after)
                if (what := model.wrong(after)) is not None:
                    return Explored(len(number), moves, Counterexample(what, _trace(came_from, there)))
            if kind is Kind.CALM:
                calm[here].append((there, label))
    return Explored(len(number), moves, _stuck(calm, settled, came_from))


def _stuck(
    calm: list[list[tuple[int, str]]], settled: list[bool], came_from: list[tuple[int, str]]
) -> Counterexample | None:
    """The earliest state from which calm moves need not come to an end that is settled."""
    into: list[list[int]] = [[] for _ in calm]
    open_ways = [len(ways) for ways in calm]
    for here, ways in enumerate(calm):
        for there, _ in ways:
            into[there].append(here)
    certain = list(settled)
    waiting = deque(here for here, is_settled in enumerate(settled) if is_settled)
    while waiting:
        for here in into[waiting.popleft()]:
            open_ways[here] -= 1
            if not certain[here] and open_ways[here] == 0:
                certain[here] = True
                waiting.append(here)
    if all(certain):
        return None
    here = certain.index(False)
    trace = _trace(came_from, here)
    seen: dict[int, int] = {}
    while here not in seen:
        seen[here] = len(trace)
        onward = next(((there, label) for there, label in calm[here] if not certain[there]), None)
        if onward is None:
            return Counterexample("It ends here, with promises open.", trace)
        here = onward[0]
        trace.append(onward[1])
    return Counterexample(f"It goes in circles from event {seen[here] + 1} on, with promises open.", trace)


def _trace(came_from: list[tuple[int, str]], here: int) -> list[str]:
    labels: list[str] = []
    while here:
        here, label = came_from[here]
        labels.append(label)
    return labels[::-1]
