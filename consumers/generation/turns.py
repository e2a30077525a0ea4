"""Whose turn it is next. No clocks, no threads, no database."""

import uuid
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from consumers.generation.tasks import Task

_KNOWN: Final = 64


def last_served(after: uuid.UUID, served: Iterable[uuid.UUID]) -> uuid.UUID:
    """The organisation at which a round that began behind `after` ended, given the organisation of each variation.

    The last turn went to those that got the most; of these the one that comes last in the round.
    """
    counts = Counter(served)
    if not counts:
        return after
    most = max(counts.values())
    return max((org for org, count in counts.items() if count == most), key=lambda org: (org <= after, org))


def from_reserve(
    asked: Sequence[tuple[uuid.UUID, int]], held: Mapping[uuid.UUID, int], *, reserve: int, share: int
) -> list[int]:
    """How many variations of each job may be leased although there is no room, given its organisation and number.

    An organisation that holds less than its `share` may lease up to it, while the `reserve` lasts: the flood of another
    one, which holds all the room, is then no reason to wait for one of its results to be committed.
    """
    taken: Counter[uuid.UUID] = Counter()
    given = []
    for org, wanted in asked:
        one = max(0, min(wanted, share - held.get(org, 0) - taken[org], reserve))
        taken[org] += one
        reserve -= one
        given.append(one)
    return given


class Turns:
    """Tasks that wait. The next is of the organisation that has had the least work done; each one's keep their order.

    What counts is the work that `charge` tells of: a variation of a large job costs several of a small one's. An
    organisation that had nothing to do gains up to `credit_seconds` by that, and no more. So a small job passes a flood
    and waits for what is being made alone, while who asks for more than its share gets its share.
    """

    def __init__(self, credit_seconds: float = 1.0) -> None:
        self._credit_seconds = credit_seconds
        self._waiting: dict[uuid.UUID, deque[Task]] = {}
        self._done_seconds: dict[uuid.UUID, float] = {}
        self._now_seconds = 0.0
        """How far those are that have work: what the last one to be served had had before. Never falls."""

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, tasks: Iterable[Task]) -> None:
        """They wait from now on."""
        for task in tasks:
            waiting = self._waiting.get(task.org_id)
            if waiting is None:
                waiting = self._waiting[task.org_id] = deque()
                self._forget()
                behind = self._now_seconds - self._credit_seconds
                self._done_seconds[task.org_id] = max(self._done_seconds.get(task.org_id, behind), behind)
            waiting.append(task)

    def next(self) -> Task:
        """Take the next one: of two organisations that have had the same, of the one that came first."""
        org = min(self._waiting, key=self._done_seconds.__getitem__)
        self._now_seconds = max(self._now_seconds, self._done_seconds[org])
        waiting = self._waiting[org]
        task = waiting.popleft()
        if not waiting:
            del self._waiting[org]
        return task

    def charge(self, org: uuid.UUID, seconds: float) -> None:
        """So much work was done for it, which had a task among these."""
        self._done_seconds[org] = self._done_seconds.get(org, self._now_seconds) + seconds

    def _forget(self) -> None:
        """Those that are behind by all of their credit would come back as if they were new."""
        if len(self._done_seconds) > 2 * len(self._waiting) + _KNOWN:
            behind = self._now_seconds - self._credit_seconds
            kept = {org: done for org, done in self._done_seconds.items() if org in self._waiting or done > behind}
            self._done_seconds = kept
