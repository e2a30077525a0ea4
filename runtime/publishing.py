"""Produce records and account for each of them.

`Publisher.flush` returns only when every record produced since the last flush is acknowledged by all in-sync replicas.
Producing the same records again after a failure is always safe: readers know them by their event ids.
"""

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from runtime.errors import BrokerUnavailable
from runtime.failpoint import failpoint
from runtime.framing import Framing
from runtime.kafka import new_producer
from runtime.settings import Settings

Headers = Sequence[tuple[str, bytes]]


class Outgoing(NamedTuple):
    """One encoded record and where it goes. `topic` is the full name; no `partition` means by key."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None
    as_it_is: bool = False
    """The value is not of our making and keeps its framing: a dead letter."""


def on_the_wire(record: Outgoing, framing: Framing | None) -> bytes | None:
    """The value as it is produced."""
    return record.value if framing is None or record.as_it_is else framing.outgoing(record.value)


class Publishing(Protocol):
    """What handlers need of a publisher."""

    def publish(self, records: Sequence[Outgoing]) -> None:
        """Produce and wait: on return every record is durable. Raises BrokerUnavailable, outcome unknown."""
        ...


class Publisher:
    """A synchronous publisher; threads that share it take turns.

    A failure replaces the client, so that nothing half-sent is delivered later, and raises BrokerUnavailable.
    """

    def __init__(
        self, settings: Settings, *, framing: Framing | None = None, flush_seconds: float = 15.0, **changes: Any
    ) -> None:
        self._settings = settings
        self._framing = framing
        self._changes = changes
        self._flush_seconds = flush_seconds
        self._failures: list[str] = []
        self._turn = threading.Lock()
        self._producer = self._new_producer()

    def publish(self, records: Sequence[Outgoing]) -> None:
        """Produce and wait: on return every record is durable. Raises BrokerUnavailable, outcome unknown."""
        if records:
            with self._turn:
                self._publish(records)

    def _publish(self, records: Sequence[Outgoing]) -> None:
        self._failures.clear()
        try:
            for record in records:
                self._produce(record)
            failpoint("publish.queued")
            left = self._producer.flush(self._flush_seconds)
        except KafkaException as error:
            self._replace()
            raise BrokerUnavailable(f"kafka: {error.args[0].name()}") from error
        if left or self._failures:
            reason = self._failures[0] if self._failures else "no acknowledgement"
            # What is still queued would be delivered later, behind the retry; a new client forgets it.
            self._replace()
            raise BrokerUnavailable(f"kafka: {left + len(self._failures)} of {len(records)} records failed: {reason}")

    def close(self) -> None:
        """Forget the client. Everything published is already durable."""
        self._producer.purge()
        self._producer.flush(1)

    def _produce(self, record: Outgoing) -> None:
        while True:
            try:
                self._producer.produce(
                    record.topic,
                    on_the_wire(record, self._framing),
                    record.key,
                    -1 if record.partition is None else record.partition,
                    headers=list(record.headers) if record.headers else None,
                )
            except BufferError:
                # The local queue is full: let the network drain it. delivery.timeout.ms bounds the wait.
                self._producer.poll(0.1)
            else:
                return

    def _on_delivery(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failures.append(error.name())

    def _new_producer(self) -> Producer:
        return new_producer(
            self._settings,
            **{
                # Only failures call back: a flush that leaves nothing has delivered the rest.
                "delivery.report.only.error": True,
                "on_delivery": self._on_delivery,
                **self._changes,
            },
        )

    def _replace(self) -> None:
        self.close()
        self._failures.clear()
        self._producer = self._new_producer()
