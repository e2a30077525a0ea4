"""Waits until a system has nothing left to do: every group at its log's end, no job running, every event marked.

How long that takes is the machine's to say: what many requests left behind, two busy cores work off slowly. That
something always gets done is the system's: a wait is given up when nothing at all has got less for so long.
"""

import time
from dataclasses import dataclass
from typing import Final

from confluent_kafka import KafkaException

from bench.checker.history import Drained
from bench.checker.logs import committed_offsets, end_offsets
from bench.checker.system import GROUPS, System, Unreadable
from bench.checker.tables import unfinished

_LOOK_AGAIN_SECONDS: Final = 0.1
_MOST_SECONDS: Final = 1_200.0


def wait_until_drained(system: System, *, within_seconds: float = 60.0, most_seconds: float = _MOST_SECONDS) -> Drained:
    """Poll until the system has drained, or nothing has got done for `within_seconds`, or after `most_seconds`.

    Put the answer into the history: invariant 11 judges it.
    """
    progress = Progress(time.monotonic())
    while True:
        left = _left(system)
        now = time.monotonic()
        if (
            left is None
            or progress.still_seconds(left.order, now) > within_seconds
            or progress.took(now) > most_seconds
        ):
            return Drained(
                seconds=progress.took(now) if left is None else None,
                within_seconds=within_seconds,
                still_seconds=progress.longest_seconds,
                waiting_for="" if left is None else left.what,
            )
        time.sleep(_LOOK_AGAIN_SECONDS)


class Progress:
    """How long nothing has got less. What grows for a while (retries, repeated wake-ups) is no progress."""

    def __init__(self, now: float) -> None:
        self._started = self._least_at = now
        self._least: tuple[int, ...] | None = None
        self.longest_seconds = 0.0

    def took(self, now: float) -> float:
        """Since the beginning."""
        return now - self._started

    def still_seconds(self, left: tuple[int, ...], now: float) -> float:
        """Since there was last less than ever before. An empty tuple tells nothing, as an outage does."""
        still = now - self._least_at
        self.longest_seconds = max(self.longest_seconds, still)
        if left and (self._least is None or left < self._least):
            self._least, self._least_at = left, now
        return still


@dataclass(frozen=True, slots=True)
class _Left:
    order: tuple[int, ...]
    what: str


def _left(system: System) -> _Left | None:
    """The first thing that is not done yet."""
    try:
        if rows := unfinished(system.database_url):
            return _Left((*rows.left, 0), str(rows))
        committed = committed_offsets(system)
        for stage, name in GROUPS.items():
            _, ends = end_offsets(system, name)
            behind = sum(end - committed[stage].get(partition, 0) for partition, end in ends.items())
            if behind:
                return _Left((*rows.left, behind), f"{stage} is {behind} records behind")
        # A job that was admitted between the first look and the last one shows now.
        rows = unfinished(system.database_url)
        return _Left((*rows.left, 0), str(rows)) if rows else None
    except (Unreadable, KafkaException) as error:
        return _Left((), f"an answer: {error}")
