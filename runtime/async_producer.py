"""Produce from an event loop: every record's acknowledgement, handed over in batches.

The client's own thread serves delivery reports; it wakes the loop once for as many as have come.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from runtime.errors import BrokerUnavailable
from runtime.framing import Framing
from runtime.kafka import new_producer
from runtime.publishing import Outgoing, on_the_wire
from runtime.settings import Settings

_log = structlog.get_logger(__name__)

_POLL_SECONDS: Final = 0.1

Delivered = Callable[[str | None], None]
"""Called on the loop with None, or with the reason why the outcome is unknown."""


class AsyncProducer:
    """An idempotent producer for one event loop."""

    def __init__(
        self, settings: Settings, loop: asyncio.AbstractEventLoop, *, framing: Framing | None = None, **changes: Any
    ) -> None:
        self._settings = settings
        self._framing = framing
        self._changes = changes
        self._loop = loop
        self._reports: deque[tuple[Delivered, str | None]] = deque()
        self._wake_pending = False
        self._broken = False
        self._stopping = threading.Event()
        self._producer: Producer = new_producer(settings, **changes)
        self._thread = threading.Thread(target=self._serve, name="delivery-reports", daemon=True)
        self._thread.start()

    def send(self, record: Outgoing, delivered: Delivered) -> None:
        """Queue one record. Raises BrokerUnavailable when the local queue is full or the client is being replaced."""

        def report(error: KafkaError | None, _message: Message) -> None:
            self._reports.append((delivered, None if error is None else error.name()))
            if error is not None and error.fatal():
                self._broken = True

        try:
            self._producer.produce(
                record.topic,
                on_the_wire(record, self._framing),
                record.key,
                -1 if record.partition is None else record.partition,
                on_delivery=report,
                headers=list(record.headers),
            )
        except BufferError as error:
            raise BrokerUnavailable("kafka: the local queue is full") from error
        except KafkaException as error:
            self._broken = self._broken or error.args[0].fatal()
            raise BrokerUnavailable(f"kafka: {error.args[0].name()}") from error

    def close(self) -> None:
        """Stop the thread. Call it when nobody waits for an acknowledgement any more; what is left gets a second."""
        self._producer.flush(1)
        self._stopping.set()
        self._thread.join(5)

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._producer.poll(_POLL_SECONDS)
            if self._broken:
                self._replace()
            if self._reports and not self._wake_pending:
                self._wake_pending = True
                try:
                    self._loop.call_soon_threadsafe(self._drain)
                except RuntimeError:
                    # The loop is closed: nobody waits for these any more.
                    return

    def _drain(self) -> None:
        # Cleared first: a report that comes while draining wakes the loop again, at worst for nothing.
        self._wake_pending = False
        while self._reports:
            delivered, reason = self._reports.popleft()
            delivered(reason)

    def _replace(self) -> None:
        # An idempotent producer that lost its sequence cannot go on; records that were queued report their failure.
        _log.warning("producer_replaced")
        old, self._producer = self._producer, new_producer(self._settings, **self._changes)
        self._broken = False
        old.purge()
        old.flush(1)
