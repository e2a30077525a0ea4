"""Produce from an event loop: the loop itself asks for delivery reports, and gets many at once.

A thread that waited for them would take turns with the loop for the interpreter, once for every report; under load
those turns cost more than everything else that a request needs (measured).
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from runtime.broker_watch import BrokerWatch
from runtime.errors import BrokerUnavailable
from runtime.framing import Framing
from runtime.kafka import new_producer, producer_config
from runtime.publishing import Outgoing, on_the_wire
from runtime.settings import Settings

_log = structlog.get_logger(__name__)

# How often reports are asked for while some are outstanding, and otherwise (the client has other business, too).
_BUSY_SECONDS: Final = 0.001
_IDLE_SECONDS: Final = 0.1

Delivered = Callable[[str | None], None]
"""Called on the loop with None, or with the reason why the outcome is unknown."""


class AsyncProducer:
    """An idempotent producer for one event loop. `send` is called on the loop, the other methods on any thread."""

    def __init__(
        self, settings: Settings, loop: asyncio.AbstractEventLoop, *, framing: Framing | None = None, **changes: Any
    ) -> None:
        self._settings = settings
        self._framing = framing
        self._changes = changes
        self._loop = loop
        self._pending: list[tuple[Outgoing, bytes | None, Delivered]] = []
        self._acknowledged: deque[Delivered] = deque()
        self._failed: deque[tuple[Delivered, str]] = deque()
        self._most = int(producer_config(settings, **changes)["queue.buffering.max.messages"])
        self._broken = False
        self._closed = False
        self._busy = False
        self._timer: asyncio.TimerHandle | None = None
        self._connect()
        loop.call_soon_threadsafe(self._serve)

    def send(self, record: Outgoing, delivered: Delivered) -> None:
        """Queue one record. Raises BrokerUnavailable when the local queue is full."""
        if len(self._pending) + len(self._producer) >= self._most:
            raise BrokerUnavailable("kafka: the local queue is full")
        value = on_the_wire(record, self._framing)
        if not self._pending:
            self._loop.call_soon(self._produce)
        self._pending.append((record, value, delivered))

    @property
    def outstanding(self) -> bool:
        """Whether reports are awaited, and asked for often."""
        return self._busy

    def close(self) -> None:
        """Ask for no more reports. Call it when nobody waits for one any more; what is left gets a second."""
        self._closed = True
        self._producer.flush(1)

    def _produce(self) -> None:
        # All that one turn of the loop has queued: each record by itself would wake the client's thread, in vain but
        # for the first of them.
        pending, self._pending = self._pending, []
        produce, report = self._producer.produce, self._report
        for (topic, key, _, headers, partition, _), value, delivered in pending:
            try:
                # By their places (call-back, no second name of it, the time of now): names take half as long again.
                produce(
                    topic,
                    value,
                    key,
                    -1 if partition is None else partition,
                    partial(report, delivered),
                    None,
                    0,
                    headers if type(headers) is list else list(headers),
                )
            except BufferError:
                self._failed.append((delivered, "_QUEUE_FULL"))
            except KafkaException as error:
                self._broken = self._broken or error.args[0].fatal()
                self._failed.append((delivered, error.args[0].name()))
        if not self._busy:
            self._busy = True
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_later(_BUSY_SECONDS, self._serve)

    def _report(self, delivered: Delivered, error: KafkaError | None, _message: Message) -> None:
        if error is None:
            self._acknowledged.append(delivered)
            return
        self._failed.append((delivered, error.name()))
        if error.fatal():
            self._broken = True

    def _serve(self) -> None:
        if self._closed:
            return
        self._producer.poll(0)
        if self._broken or self._watch.lost:
            self._replace()
        try:
            while self._acknowledged:
                self._acknowledged.popleft()(None)
            while self._failed:
                delivered, reason = self._failed.popleft()
                delivered(reason)
        finally:
            # Where a call-back has failed, too: those behind it must not wait for ever.
            self._busy = len(self._producer) > 0 or bool(self._acknowledged or self._failed)
            self._timer = self._loop.call_later(_BUSY_SECONDS if self._busy else _IDLE_SECONDS, self._serve)

    def _connect(self) -> None:
        self._watch = BrokerWatch()
        self._producer: Producer = new_producer(self._settings, **self._changes, **self._watch.config())

    def _replace(self) -> None:
        # An idempotent producer that lost its sequence cannot go on, nor one without brokers; records that were queued
        # report their failure.
        _log.warning("producer_replaced")
        old = self._producer
        self._connect()
        self._broken = False
        threading.Thread(target=_abandon, args=(old,), name="abandoned-producer", daemon=True).start()


def _abandon(producer: Producer) -> None:
    producer.purge()
    producer.flush(1)
