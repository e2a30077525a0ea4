"""Waits until a system has nothing left to do: every group at its log's end, no job running, every event marked."""

import time
from typing import Final

from confluent_kafka import KafkaException

from bench.checker.history import Drained
from bench.checker.logs import committed_offsets, end_offsets
from bench.checker.system import GROUPS, System, Unreadable
from bench.checker.tables import unfinished

_LOOK_AGAIN_SECONDS: Final = 0.1


def wait_until_drained(system: System, *, within_seconds: float = 60.0) -> Drained:
    """Poll until the system has drained or the time is up. Put the answer into the history: invariant 11 judges it."""
    started = time.monotonic()
    while True:
        waiting_for = _waiting_for(system)
        seconds = time.monotonic() - started
        if waiting_for is None:
            return Drained(seconds=seconds, within_seconds=within_seconds)
        if seconds > within_seconds:
            return Drained(seconds=None, within_seconds=within_seconds, waiting_for=waiting_for)
        time.sleep(_LOOK_AGAIN_SECONDS)


def _waiting_for(system: System) -> str | None:
    """The first thing that is not done yet."""
    try:
        if (left := unfinished(system.database_url)) is not None:
            return left
        committed = committed_offsets(system)
        for stage, name in GROUPS.items():
            _, ends = end_offsets(system, name)
            behind = sum(end - committed[stage].get(partition, 0) for partition, end in ends.items())
            if behind:
                return f"{stage} is {behind} records behind"
        # A job that was admitted between the first look and the last one shows now.
        return unfinished(system.database_url)
    except (Unreadable, KafkaException) as error:
        return f"an answer: {error}"
