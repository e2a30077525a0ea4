"""Whether a partition of clone.replies is there to be answered on."""

import time
from collections.abc import Callable
from typing import Final

import structlog

from runtime.errors import BrokerUnavailable

_log = structlog.get_logger(__name__)

_ASK_AGAIN_SECONDS: Final = 10.0


class ReplyPartitions:
    """The partitions of clone.replies, as the cluster has them.

    A reply to one that is not there could never be published, and its record would hold up all those behind it. A topic
    may grow, so one behind the last that is known is asked for, but not for each record: anybody may name it.
    """

    def __init__(self, ask: Callable[[], int], *, clock: Callable[[], float] = time.monotonic) -> None:
        """`ask` gives the topic's count of partitions. Raises what that raises; later, an outage means "not there"."""
        self._ask = ask
        self._clock = clock
        self._count = ask()
        self._ask_at = clock() + _ASK_AGAIN_SECONDS

    def __contains__(self, partition: object) -> bool:
        if not isinstance(partition, int):
            return False
        if partition >= self._count and self._clock() >= self._ask_at:
            self._ask_at = self._clock() + _ASK_AGAIN_SECONDS
            try:
                self._count = self._ask()
            except BrokerUnavailable as error:
                _log.warning("reply_partitions_stale", reason=str(error))
        return partition < self._count
