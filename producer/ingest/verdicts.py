"""Matches replies to the requests that wait for them."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import structlog

from runtime.failpoint import failpoint
from schemas import codec
from schemas.events import CloneReply
from schemas.topics import REPLIES

_log = structlog.get_logger(__name__)

Late = Literal["late"]
LATE: Final[Late] = "late"


@dataclass(frozen=True, slots=True)
class NotAcknowledged:
    """The broker did not acknowledge the request; whether it was taken is unknown."""

    reason: str


Outcome = CloneReply | NotAcknowledged | Late

Settled = Callable[[Outcome], None]
"""Called once, on the loop, with the outcome. It must not raise: those that come after it would go without."""


class Verdicts:
    """The requests of one process that wait. Used on its event loop only."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, wait_ms: int) -> None:
        self._loop = loop
        self._wait_seconds = wait_ms / 1000
        self._waiting: dict[str, Settled] = {}
        # Those that are acknowledged, in the order in which their time ends: all wait equally long, so one timer serves
        # them all, where a timer each would outlive nearly every request by a second.
        self._acknowledged: deque[tuple[float, str]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def call(self, request_id: str, settled: Settled) -> None:
        """Have the outcome of a request told; register it before the request is sent."""
        self._waiting[request_id] = settled

    def expect(self, request_id: str) -> asyncio.Future[Outcome]:
        """A future for the outcome of a request; register it before the request is sent."""
        future: asyncio.Future[Outcome] = self._loop.create_future()

        def settled(outcome: Outcome) -> None:
            if not future.done():
                future.set_result(outcome)

        self.call(request_id, settled)
        return future

    def forget(self, request_id: str) -> None:
        """Nobody waits any more."""
        self._waiting.pop(request_id, None)

    def delivered(self, request_id: str, reason: str | None) -> None:
        """The broker acknowledged the request (None), or did not: from now on the wait for the verdict is bounded."""
        failpoint("ingest.acknowledged")
        if reason is not None:
            self._settle(request_id, NotAcknowledged(reason))
        elif self._wait_seconds == 0:
            self._settle(request_id, LATE)
        elif request_id in self._waiting:
            self._acknowledged.append((self._loop.time() + self._wait_seconds, request_id))
            if self._timer is None:
                self._timer = self._loop.call_later(self._wait_seconds, self._give_up)

    def receive(self, values: Sequence[bytes]) -> None:
        """Replies from the topic; those of other processes on the same partition are passed over."""
        for value in values:
            try:
                reply: Any = codec.decode(value, REPLIES.records).record
            except codec.UndecodableRecord as error:
                # Nobody can wait for it by name, and a verdict that never comes is a 202: nothing is lost.
                _log.warning("undecodable_reply", reason=error.reason)
                continue
            self._settle(reply["requestId"], reply)

    def _settle(self, request_id: str, outcome: Outcome) -> None:
        settled = self._waiting.pop(request_id, None)
        if settled is not None:
            settled(outcome)

    def _give_up(self) -> None:
        now = self._loop.time()
        while self._acknowledged and (self._acknowledged[0][1] not in self._waiting or self._acknowledged[0][0] <= now):
            _, request_id = self._acknowledged.popleft()
            self._settle(request_id, LATE)
        self._timer = None
        if self._acknowledged:
            self._timer = self._loop.call_at(self._acknowledged[0][0], self._give_up)
