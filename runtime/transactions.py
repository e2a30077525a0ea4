"""The two clients of the relay: a fenced transactional publisher, and a reader of what is really in the log.

librdkafka retries a lost EndTxn inside itself, and such a retry can end the *next* transaction. So an answer from this
publisher is only a hint; what was published is known by reading it back.
"""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from runtime.errors import BrokerUnavailable, Fatal
from runtime.failpoint import failpoint
from runtime.framing import Framing
from runtime.kafka import abandon, new_consumer, new_producer
from runtime.publishing import Outgoing, on_the_wire
from runtime.record import header_pairs
from runtime.settings import Settings
from schemas.headers import CE_ID
from schemas.ids import parse_uuid

_INIT_SECONDS: Final = 30.0
_COMMIT_SECONDS: Final = 10.0
_READ_SECONDS: Final = 15.0
_ASK_SECONDS: Final = 5.0
_ROUND: Final = 1_000


class TransactionalPublisher:
    """One epoch of the transactional id. After any error throw it away: a new one fences it."""

    def __init__(self, settings: Settings, transactional_id: str, framing: Framing | None = None) -> None:
        """Fence every earlier holder of the id and end its open transaction. Raises BrokerUnavailable."""
        self._framing = framing
        self._producer: Producer = new_producer(
            settings, **{"transactional.id": transactional_id, "transaction.timeout.ms": 20_000, "linger.ms": 0}
        )
        try:
            self._producer.init_transactions(_INIT_SECONDS)
        except KafkaException as error:
            raise BrokerUnavailable(f"kafka: init_transactions: {error.args[0].name()}") from error

    def publish(self, records: Sequence[Outgoing]) -> float:
        """Publish in one transaction. Returns the seconds that the commit took. Raises BrokerUnavailable."""
        try:
            self._producer.begin_transaction()
            for record in records:
                self._producer.produce(
                    record.topic,
                    on_the_wire(record, self._framing),
                    record.key,
                    -1 if record.partition is None else record.partition,
                    headers=list(record.headers),
                )
            failpoint("relay.end_transaction")
            started = time.monotonic()
            self._producer.commit_transaction(_COMMIT_SECONDS)
        except (KafkaException, BufferError) as error:
            reason = error.args[0].name() if isinstance(error, KafkaException) else "the local queue is full"
            raise BrokerUnavailable(f"kafka: transaction: {reason}") from error
        return time.monotonic() - started

    def close(self) -> None:
        """Forget the client; a transaction that is still open is ended by the next holder of the id."""
        self._producer.purge()


class Logged(NamedTuple):
    """A committed record of the log. A tuple: one is made for each."""

    partition: int
    offset: int
    event_id: uuid.UUID | None
    """From the ce_id header; None where that is missing or no UUID."""


class LogReader:
    """Reads a topic's committed records from given offsets up to its ends, as often as asked."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self._settings = settings
        self._topic = topic
        self._connect()

    def read(
        self, start_offsets: Mapping[int, int], end_offsets: Mapping[int, int]
    ) -> Iterator[Logged | tuple[int, int]]:
        """Yield every committed record from `start_offsets` up to `end_offsets`, then (partition, next offset) pairs.

        The pairs tell where each partition's reading ended, past transaction markers. Raises BrokerUnavailable when the
        ends are not reached in time and Fatal when the log starts after a start offset.
        """
        try:
            yield from self._read(start_offsets, end_offsets)
        except BrokerUnavailable:
            # It may be this client alone that stands still: what it is cannot be seen, so the next read has a new one.
            abandon(self._consumer)
            self._connect()
            raise

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()

    def _connect(self) -> None:
        # A group is named because the client wants one; nothing is ever committed to it. The end behind a transaction's
        # marker is told by the answer to a fetch that found no more: the broker must not keep that for long, since the
        # next event waits for it.
        self._consumer: Consumer = new_consumer(self._settings, group="relay-reader", **{"fetch.wait.max.ms": 20})
        self._assigned: dict[int, int] = {}

    def _read(
        self, start_offsets: Mapping[int, int], end_offsets: Mapping[int, int]
    ) -> Iterator[Logged | tuple[int, int]]:
        if self._assigned != dict(start_offsets):
            self._consumer.assign([TopicPartition(self._topic, p, offset) for p, offset in start_offsets.items()])
        following = dict(start_offsets)
        waiting = {p for p, end in end_offsets.items() if following[p] < end}
        until = time.monotonic() + _READ_SECONDS
        while waiting:
            if time.monotonic() > until:
                raise BrokerUnavailable(f"kafka: {self._topic} could not be read to its end")
            # One poll and then what is there: `consume` alone would wait to fill its batch.
            first = self._consumer.poll(0.05)
            for message in () if first is None else (first, *self._consumer.consume(_ROUND, 0)):
                error, partition = message.error(), message.partition() or 0
                if error is None:
                    yield Logged(partition, message.offset() or 0, _event_id(header_pairs(message)))
                    following[partition] = (message.offset() or 0) + 1
                elif error.code() == KafkaError._PARTITION_EOF:
                    following[partition] = max(following[partition], message.offset() or 0)
                elif error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
                    raise self._lost(partition, start_offsets[partition], error)
                else:
                    raise BrokerUnavailable(f"kafka: reading {self._topic}: {error.name()}")
                if partition in waiting and following[partition] >= end_offsets[partition]:
                    waiting.discard(partition)
        self._assigned = following
        yield from following.items()

    def _lost(self, partition: int, start_offset: int, error: KafkaError) -> Exception:
        """What the client says is lost is asked for: behind damaged bytes it may have gone to an offset of its own."""
        try:
            low, end = self._consumer.get_watermark_offsets(
                TopicPartition(self._topic, partition), timeout=_ASK_SECONDS
            )
        except KafkaException as unknown:
            return BrokerUnavailable(f"kafka: reading {self._topic}: {unknown.args[0].name()}")
        if low <= start_offset <= end:
            return BrokerUnavailable(f"kafka: reading {self._topic}: {error.name()}, and the offset is there")
        return Fatal(
            f"{self._topic}[{partition}] does not have the relay's checkpoint any more: completion events were "
            "deleted. Restore the topic, or set relay_checkpoints to its start knowing that earlier events cannot be "
            "checked."
        )


def _event_id(headers: Sequence[tuple[str, bytes | None]]) -> uuid.UUID | None:
    for name, value in headers:
        if name == CE_ID and value is not None:
            return parse_uuid(value.decode("ascii", "replace"))
    return None
