"""Publishes a request and waits for its outcome."""

from functools import partial
from typing import Protocol

from producer.errors import unavailable
from producer.ingest.verdicts import NotAcknowledged, Outcome, Settled, Verdicts
from runtime.async_producer import Delivered
from runtime.errors import BrokerUnavailable
from runtime.failpoint import failpoint
from runtime.publishing import Outgoing
from schemas.events import CloneReply


class Sending(Protocol):
    """What ingestion needs of a producer."""

    def send(self, record: Outgoing, delivered: Delivered) -> None:
        """Queue one record. Raises BrokerUnavailable when it cannot be queued."""
        ...


class Sender:
    """One request out, one outcome back."""

    def __init__(self, producer: Sending, verdicts: Verdicts) -> None:
        self._producer = producer
        self._verdicts = verdicts

    async def ask(self, request_id: str, record: Outgoing) -> CloneReply | None:
        """Publish; return the verdict, or None when it is late (the request is durable then).

        Raises ApiError UNAVAILABLE when the broker does not acknowledge: the outcome is unknown, a repeat is safe.
        """
        future = self._verdicts.expect(request_id)
        try:
            self._send(request_id, record)
            return reply_of(await future)
        finally:
            self._verdicts.forget(request_id)

    def begin(self, request_id: str, record: Outgoing, settled: Settled) -> None:
        """Publish, and have the outcome told. Raises ApiError UNAVAILABLE when nothing was sent; then none is told."""
        self._verdicts.call(request_id, settled)
        try:
            self._send(request_id, record)
        except BaseException:
            self._verdicts.forget(request_id)
            raise

    def _send(self, request_id: str, record: Outgoing) -> None:
        try:
            self._producer.send(record, partial(self._verdicts.delivered, request_id))
        except BrokerUnavailable as error:
            raise unavailable("The request was not taken — repeat it; repeating is safe.") from error
        failpoint("ingest.queued")


def reply_of(outcome: Outcome) -> CloneReply | None:
    """The verdict, or None when it is late. Raises ApiError UNAVAILABLE when the broker did not acknowledge."""
    failpoint("ingest.answered")
    if isinstance(outcome, NotAcknowledged):
        raise unavailable("Whether the request was taken is unknown — repeat it; repeating is safe.")
    return None if outcome == "late" else outcome
