"""An analyst who reads clone.jobs-completed, read_committed, while everything else happens."""

import threading
import time
import uuid
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from bench.checker.history import CompletionRead, Recorder
from bench.checker.logs import end_offsets, log_record
from bench.checker.snapshot import LogRecord
from bench.checker.system import JOBS_COMPLETED, System, Unreadable

_POLL_SECONDS: Final = 0.05


class Analyst:
    """Reads from the beginning, in a thread of its own, and writes down each record as it comes.

    Stop it after the system has drained: it reads to the ends as they are then, so that it misses nothing.
    """

    def __init__(self, system: System, recorder: Recorder) -> None:
        self._system = system
        self._recorder = recorder
        self._reader = f"analyst-{uuid.uuid4().hex[:8]}"
        self._ends: dict[int, int] | None = None
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=self._reader, daemon=True)

    def __enter__(self) -> "Analyst":
        self._thread.start()
        return self

    def __exit__(self, *_reason: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Read to the ends of now, then end. Raises what went wrong."""
        if self._thread.is_alive():
            _, self._ends = end_offsets(self._system, JOBS_COMPLETED)
            self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            self._read()
        except Exception as error:  # noqa: BLE001 -- handed to whoever stops the thread
            self._failure = error

    def _read(self) -> None:
        topic = self._system.topic(JOBS_COMPLETED)
        partitions = self._partitions()
        consumer = Consumer(
            {
                **self._system.kafka,
                "group.id": self._reader,
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "enable.metrics.push": False,
            }
        )
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
        reached = dict.fromkeys(partitions, 0)
        try:
            while self._ends is None or any(reached.get(p, 0) < end for p, end in self._ends.items()):
                if self._ends is not None and (new := self._ends.keys() - reached.keys()):
                    # The topic has grown since: a real analyst's client notices by itself.
                    consumer.incremental_assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in new])
                    reached |= dict.fromkeys(new, 0)
                for message in consumer.consume(1_000, _POLL_SECONDS):
                    error = message.error()
                    if error is None:
                        self._see(log_record(message))
                    elif error.code() == KafkaError._PARTITION_EOF:
                        # Told once per end: behind the markers of transactions, which are no records.
                        reached[message.partition() or 0] = message.offset() or 0
        finally:
            consumer.close()

    def _partitions(self) -> list[int]:
        """Asked for until the broker answers: faults may have begun. After `stop` the next answer is the last."""
        while True:
            try:
                _, ends = end_offsets(self._system, JOBS_COMPLETED)
            except Unreadable:
                if self._ends is not None:
                    return list(self._ends)
                time.sleep(_POLL_SECONDS)
            else:
                return list(ends)

    def _see(self, record: LogRecord) -> None:
        self._recorder.add(
            CompletionRead(
                reader=self._reader,
                partition=record.partition,
                offset=record.offset,
                event_id=record.header("ce_id") or "",
            )
        )
