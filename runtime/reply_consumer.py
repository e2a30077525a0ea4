"""Reads one partition of the reply topic for one process, and hands the values to its event loop in batches."""

import asyncio
import random
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from runtime.backoff import full_jitter
from runtime.broker_watch import BrokerWatch
from runtime.errors import BrokerUnavailable, RegistryUnavailable
from runtime.framing import Framing
from runtime.kafka import abandon, new_consumer
from runtime.record import raw_bytes
from runtime.settings import Settings

_log = structlog.get_logger(__name__)

_POLL_SECONDS: Final = 0.25
_BATCH: Final = 1_000
_GONE: Final = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})


class ReplyConsumer:
    """Reads replies from the moment it is made. `partition` is the one that askers name in their requests."""

    def __init__(
        self,
        settings: Settings,
        *,
        topic: str,
        partitions: int,
        loop: asyncio.AbstractEventLoop,
        receive: Callable[[Sequence[bytes]], None],
        framing: Framing | None = None,
    ) -> None:
        """Assign a random partition at its end. Raises BrokerUnavailable when the end cannot be learnt.

        `receive` is called on the loop with the values of many replies at once.
        """
        self.partition: Final = random.randrange(partitions)  # noqa: S311 -- spreads processes, guards nothing
        self._settings = settings
        self._topic = topic
        self._loop = loop
        self._receive = receive
        self._framing = framing
        self._stopping = threading.Event()
        self._astray = False
        self._connect()
        self._assign_end()
        self._thread = threading.Thread(target=self._run, name="replies", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop reading."""
        self._stopping.set()
        self._thread.join(1)

    def _connect(self) -> None:
        self._watch = BrokerWatch()
        changes = {"enable.partition.eof": False, "fetch.wait.max.ms": 50, **self._watch.config()}
        self._consumer: Consumer = new_consumer(self._settings, group="replies", **changes)

    def _assign_end(self) -> None:
        place = TopicPartition(self._topic, self.partition)
        try:
            _, end = self._consumer.get_watermark_offsets(place, timeout=10.0)
            self._consumer.assign([TopicPartition(self._topic, self.partition, end)])
        except KafkaException as error:
            raise BrokerUnavailable(f"kafka: {self._topic}: {error.args[0].name()}") from error

    def _run(self) -> None:
        waits = full_jitter(first_seconds=0.1, cap_seconds=2.0)
        while not self._stopping.is_set():
            if self._watch.lost:
                # Whoever waited for a reply meanwhile has answered 202.
                _log.warning("client_replaced", client="replies")
                abandon(self._consumer)
                self._connect()
                self._astray = True
            if self._astray and not self._found_again():
                self._stopping.wait(next(waits))
                continue
            # One poll and then what is there: `consume` alone would wait to fill its batch.
            first = self._consumer.poll(_POLL_SECONDS)
            values = [] if first is None else self._values((first, *self._consumer.consume(_BATCH, 0)))
            if values:
                try:
                    self._loop.call_soon_threadsafe(self._receive, values)
                except RuntimeError:
                    # The loop is closed: nobody waits for replies any more.
                    break
        self._consumer.close()

    def _values(self, messages: Iterable[Message]) -> list[bytes]:
        values = []
        for message in messages:
            error = message.error()
            value = self._value(message) if error is None else None
            if error is not None:
                self._recover(error)
            elif value is not None:
                values.append(value)
        return values

    def _value(self, message: Message) -> bytes | None:
        value = raw_bytes(message.value())
        try:
            return value if self._framing is None else self._framing.incoming(value)
        except RegistryUnavailable as error:
            # Whoever waits for it answers 202, and nothing is lost.
            _log.warning("reply_error", error=str(error))
            return None

    def _recover(self, error: KafkaError) -> None:
        _log.warning("reply_error", error=error.name())
        if error.code() in _GONE:
            # Old replies were deleted under us; whoever waited for one has answered 202 by now.
            self._astray = True

    def _found_again(self) -> bool:
        """Read on from the end. Until that works, nothing is read at all, so it is tried until it does."""
        try:
            self._assign_end()
        except BrokerUnavailable as error:
            _log.warning("reply_error", error=str(error))
            return False
        self._astray = False
        return True
