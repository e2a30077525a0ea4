"""The consumer loop: read a batch, let the handler make it durable, commit its offsets.

Three offsets of a partition matter. *Read*: handed to the handler. *Durable*: the handler has returned, so every effect
is committed and every output acknowledged. *Committed*: what a restart begins at; it never passes durable. A batch may
be handled again at any time, also by a process that no longer owns its partitions: handlers must be idempotent.

A handler raises Retryable to stall: partitions are paused, polling goes on (so the group keeps its member), and the
same batch is handled again after a jittered wait, for ever. Poison is the handler's to dead-letter, record by record.
Any other exception ends the loop and the process.
"""

import threading
import time
from collections.abc import Sequence
from typing import Final, Protocol

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as ClientPartition

from runtime import metrics
from runtime.backoff import full_jitter
from runtime.broker_watch import BrokerWatch
from runtime.damaged import UNREADABLE, DamagedPartitions
from runtime.errors import Fatal, Retryable
from runtime.failpoint import failpoint
from runtime.framing import Framing
from runtime.kafka import new_consumer
from runtime.record import Batch, Record, TopicPartition
from runtime.settings import Settings
from runtime.unowned import UnownedPartitions

_log = structlog.get_logger(__name__)

_POLL_SECONDS: Final = 0.25
_CLOSE_SECONDS: Final = 3.0
_COMMITTED_SECONDS: Final = 2.0
# Answers to a commit that came after a rebalance: the new owner reads the records again, which handlers allow.
_STALE_COMMIT: Final = frozenset(
    {
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.STALE_MEMBER_EPOCH,
        KafkaError._NO_OFFSET,
        KafkaError._ASSIGNMENT_LOST,
    }
)
_LOST_RECORDS: Final = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})


class BatchHandler(Protocol):
    """One stage of the pipeline."""

    def handle(self, batch: Batch) -> None:
        """Make every effect of the batch durable and every output acknowledged; idempotent.

        Raises Retryable to have the same batch handled again later.
        """
        ...


class BatchLoop:
    """Feeds one handler from one consumer group until `stop`."""

    def __init__(
        self,
        settings: Settings,
        handler: BatchHandler,
        *,
        stage: str,
        topics: Sequence[str],
        framing: Framing | None = None,
        losable: bool = False,
        batch_records: int = 1_000,
    ) -> None:
        """`stage` names the consumer group and the metrics; `topics` are full names.

        `losable` topics only wake the stage up, and something else makes up for every record that is lost: where the
        committed offset is not in the log any more, the loop goes on at the first record that is.
        """
        changes = {"auto.offset.reset": "earliest"} if losable else {}
        self._watch = BrokerWatch()
        self._consumer: Consumer = new_consumer(
            settings, group=stage, on_commit=self._on_commit, **changes, **self._watch.config()
        )
        self._handler = handler
        self._framing = framing
        self._stage = stage
        self._topics = list(topics)
        self._batch_records = batch_records
        self._stopping = threading.Event()
        self._stalled = False
        self._early: list[Message] = []
        self._in_hand = Batch()
        self._damaged = DamagedPartitions(self._consumer, stage=stage)
        self._unowned = UnownedPartitions(settings, group=stage, topics=topics)

    def stop(self) -> None:
        """End `run` after the batch in hand. Safe from signal handlers and other threads."""
        self._stopping.set()

    def run(self) -> None:
        """Consume until `stop`. Raises Fatal when going on would lose records."""
        self._consumer.subscribe(self._topics, on_assign=self._on_assign, on_revoke=self._on_revoke)
        self._unowned.start()
        try:
            while not self._stopping.is_set():
                self._damaged.look_again()
                batch = self._read()
                if self._watch.lost:
                    raise Fatal(
                        "the Kafka client has lost every broker and does not find back (librdkafka issue 5301): a "
                        "restart heals that"
                    )
                if (batch.records or batch.ends) and self._handle(batch):
                    failpoint("loop.handled")
                    self._commit(batch)
        finally:
            self._close()

    def _read(self) -> Batch:
        messages, self._early = self._early, []
        if not messages:
            first = self._consumer.poll(_POLL_SECONDS)
            if first is None:
                return Batch()
            messages.append(first)
        # Drain what is already here and no more: waiting to fill a batch would cost 30 ms a hop at low load.
        messages += self._consumer.consume(self._batch_records, 0)
        batch = Batch()
        for message in messages:
            self._sort_in(batch, message)
        return batch

    def _sort_in(self, batch: Batch, message: Message) -> None:
        error = message.error()
        if error is None:
            if self._damaged.some and self._damaged.holds_back(_place(message), message.offset() or 0):
                return
            if batch.ends:
                batch.ends.pop(_place(message), None)
            batch.records.append(message if self._framing is None else self._framing.record(message))
            return
        place, offset = _place(message), message.offset() or 0
        if error.code() in UNREADABLE:
            self._damaged.found(place, offset, error.str())
        elif error.code() == KafkaError._PARTITION_EOF:
            if not self._damaged.holds_back(place, offset):
                batch.ends[place] = offset
        elif error.code() in _LOST_RECORDS and not self._damaged.stands(place):
            raise Fatal(
                f"{place.topic}[{place.partition}]: the committed offset is not in the log any more, so records were "
                f"lost to retention. Run `clonepost lag`, decide, then reset the group {self._stage} by hand. "
                f"The client says at {offset}: {error.str()}"
            )
        elif error.fatal():
            raise Fatal(f"kafka client failed for good: {error.name()}; the process must be restarted")
        else:
            _log.warning("consume_error", stage=self._stage, error=error.name(), topic=place.topic)

    def _handle(self, batch: Batch) -> bool:
        oldest_ms = min((record.timestamp()[1] for record in batch.records), default=None)
        metrics.observe_oldest_record(self._stage, oldest_ms)
        waits = full_jitter(first_seconds=0.05, cap_seconds=2.0)
        started = time.monotonic()
        self._in_hand = batch
        while True:
            try:
                self._handler.handle(batch)
            except Retryable as error:
                metrics.STALLS.labels(self._stage).inc()
                _log.warning("stage_stalled", stage=self._stage, reason=str(error), records=len(batch.records))
                metrics.observe_oldest_record(self._stage, oldest_ms)
                self._stall(next(waits))
                if self._stopping.is_set():
                    return False
            else:
                metrics.BATCH_SECONDS.labels(self._stage).observe(time.monotonic() - started)
                metrics.RECORDS.labels(self._stage).inc(len(batch.records))
                metrics.observe_oldest_record(self._stage, None)
                return True

    def _stall(self, seconds: float) -> None:
        self._stalled = True
        self._consumer.pause(self._consumer.assignment())
        until = time.monotonic() + seconds
        while not self._stopping.is_set() and (left := until - time.monotonic()) > 0:
            message = self._consumer.poll(min(left, _POLL_SECONDS))
            if message is not None:
                # From a partition that was assigned just now: kept for the next batch, never dropped.
                self._early.append(message)
        self._stalled = False
        self._resume(self._consumer.assignment())

    def _commit(self, batch: Batch) -> None:
        ends: dict[tuple[str, int], int] = {}
        for record in batch.records:
            ends[record.topic() or "", record.partition() or 0] = (record.offset() or 0) + 1
        for place, offset in batch.ends.items():
            ends[place.topic, place.partition] = offset
        owned = {(p.topic, p.partition) for p in self._consumer.assignment()}
        offsets = [ClientPartition(topic, partition, offset) for (topic, partition), offset in ends.items()]
        offsets = [place for place in offsets if (place.topic, place.partition) in owned]
        if not offsets:
            return
        try:
            # Asynchronous: a commit that is lost costs one batch handled twice. The last one is waited for in close.
            self._consumer.commit(offsets=offsets, asynchronous=True)
            failpoint("loop.offsets_sent")
        except KafkaException as error:
            self._on_commit_error(error.args[0])

    def _on_commit(self, error: KafkaError | None, _offsets: list[ClientPartition]) -> None:
        if error is not None:
            self._on_commit_error(error)

    def _on_commit_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError.FENCED_INSTANCE_ID:
            # After a broker's crash it may also be our own second joining that fences our first: a restart heals that.
            raise Fatal(
                "the broker knows another member of the same CLONEPOST_INSTANCE: a restart heals what a broker's crash "
                "mixed up; if this comes again, two processes run under one name, and each needs its own"
            )
        level = _log.info if error.code() in _STALE_COMMIT else _log.warning
        level("commit_failed", stage=self._stage, error=error.name())

    def _on_assign(self, consumer: Consumer, partitions: list[ClientPartition]) -> None:
        if partitions:
            placed = self._places(consumer, partitions)
            consumer.incremental_assign(placed)
            if self._stalled:
                consumer.pause(placed)
            else:
                # Paused in a stall, taken away before its end and given back after it: the client has not forgotten.
                self._resume(placed)
        _log.info("partitions_assigned", stage=self._stage, partitions=sorted(p.partition for p in partitions))

    def _resume(self, partitions: list[ClientPartition]) -> None:
        self._consumer.resume([p for p in partitions if not self._damaged.stands(TopicPartition(p.topic, p.partition))])

    def _places(self, consumer: Consumer, partitions: list[ClientPartition]) -> list[ClientPartition]:
        waits = full_jitter(first_seconds=0.05, cap_seconds=1.0)
        while True:
            try:
                committed = consumer.committed(partitions, timeout=_COMMITTED_SECONDS)
                # An error of one partition looks like no offset at all: it would be read from its beginning.
                failed = next((place.error for place in committed if place.error is not None), None)
            except KafkaException as error:
                failed = error.args[0]
            if failed is None:
                return [
                    place if place.offset >= 0 else ClientPartition(place.topic, place.partition, OFFSET_BEGINNING)
                    for place in committed
                ]
            if self._stopping.is_set():
                return partitions
            _log.warning("committed_offsets_unknown", stage=self._stage, error=failed.name())
            time.sleep(next(waits))

    def _on_revoke(self, _consumer: Consumer, partitions: list[ClientPartition]) -> None:
        gone = {TopicPartition(p.topic, p.partition) for p in partitions}
        self._early = [message for message in self._early if _place(message) not in gone]
        # In a stall: the new owner reads them from the committed offset, and its answers are the fresher ones.
        self._in_hand.records[:] = [record for record in self._in_hand.records if _place(record) not in gone]
        for place in gone:
            self._in_hand.ends.pop(place, None)
        self._damaged.forget(gone)
        _log.info("partitions_revoked", stage=self._stage, partitions=sorted(p.partition for p in partitions))

    def _close(self) -> None:
        # close() can hang on a dead broker (confluent-kafka-python #1667): bounded, then the process leaves anyway.
        self._unowned.stop()
        closer = threading.Thread(target=self._consumer.close, daemon=True)
        closer.start()
        closer.join(_CLOSE_SECONDS)
        if closer.is_alive():
            _log.warning("consumer_close_timed_out", stage=self._stage)


def _place(record: Record) -> TopicPartition:
    return TopicPartition(record.topic() or "", record.partition() or 0)
