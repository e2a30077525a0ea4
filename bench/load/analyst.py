"""An analyst who reads clone.jobs-completed, read_committed, while everything else happens."""

import threading
import time
import uuid
from typing import Final

from confluent_kafka import Consumer, KafkaError, TopicPartition

from bench.checker.history import CompletionRead, Recorder
from bench.checker.logs import end_offsets, log_record
from bench.checker.snapshot import LogRecord
from bench.checker.system import JOBS_COMPLETED, System, Unreadable

_POLL_SECONDS: Final = 0.05
_QUIET_SECONDS: Final = 10.0


class Analyst:
    """Reads from the beginning, in a thread of its own, and writes down each record as it comes.

    Stop it after the system has drained: it reads to the ends as they are then, so that it misses nothing.
    """

    def __init__(self, system: System, recorder: Recorder, *, quiet_seconds: float = _QUIET_SECONDS) -> None:
        """A client that hears nothing for `quiet_seconds` while there is something to read is replaced."""
        self._system = system
        self._recorder = recorder
        self._reader = f"analyst-{uuid.uuid4().hex[:8]}"
        self._quiet_seconds = quiet_seconds
        self._ends: dict[int, int] | None = None
        self.clients = 1
        """How many it has had."""
        self._given_up = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=self._reader, daemon=True)

    def __enter__(self) -> "Analyst":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        if kind is None:
            self.stop()
        else:
            self._given_up.set()

    def stop(self) -> None:
        """Read to the ends of now, then end. Raises what went wrong."""
        if self._thread.is_alive():
            _, self._ends = end_offsets(self._system, JOBS_COMPLETED)
            self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            reached = dict.fromkeys(self._partitions(), 0)
            while not self._is_over(reached):
                self._read_on(reached)
        except Exception as error:  # noqa: BLE001 -- handed to whoever stops the thread
            self._failure = error

    def _is_over(self, reached: dict[int, int]) -> bool:
        if self._given_up.is_set():
            return True
        return self._ends is not None and all(reached.get(p, 0) >= end for p, end in self._ends.items())

    def _read_on(self, reached: dict[int, int]) -> None:
        """Read with one client, until it is over or that client stands still before the ends.

        librdkafka can lose all its brokers for good when one of them, just back, answers that there are none (its issue
        5301): it then says nothing and reads nothing.
        """
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
        topic = self._system.topic(JOBS_COMPLETED)
        consumer.assign([TopicPartition(topic, partition, offset) for partition, offset in reached.items()])
        heard_at = time.monotonic()
        while not self._is_over(reached):
            messages = consumer.consume(1_000, _POLL_SECONDS)
            for message in messages:
                partition, offset, error = message.partition() or 0, message.offset() or 0, message.error()
                if error is None:
                    self._see(log_record(message))
                    reached[partition] = offset + 1
                elif error.code() == KafkaError._PARTITION_EOF:
                    # Behind the markers of transactions, which are no records.
                    reached[partition] = max(reached[partition], offset)
            if messages:
                heard_at = time.monotonic()
            elif time.monotonic() - heard_at > self._quiet_seconds:
                heard_at = time.monotonic()
                if self._is_behind(reached):
                    self.clients += 1
                    break
        # In a thread: a client without brokers may not end.
        threading.Thread(target=consumer.close, daemon=True).start()

    def _is_behind(self, reached: dict[int, int]) -> bool:
        """Whether there is something to read, also in partitions that the topic has grown by."""
        try:
            _, ends = end_offsets(self._system, JOBS_COMPLETED)
        except Unreadable:
            return False
        for new in ends.keys() - reached.keys():
            reached[new] = 0
        return any(reached[partition] < end for partition, end in ends.items())

    def _partitions(self) -> list[int]:
        """Asked for until the broker answers: faults may have begun. After `stop` the next answer is the last."""
        while not self._given_up.is_set():
            try:
                _, ends = end_offsets(self._system, JOBS_COMPLETED)
            except Unreadable:
                if self._ends is not None:
                    return list(self._ends)
                time.sleep(_POLL_SECONDS)
            else:
                return list(ends)
        return []

    def _see(self, record: LogRecord) -> None:
        self._recorder.add(
            CompletionRead(
                reader=self._reader,
                partition=record.partition,
                offset=record.offset,
                event_id=record.header("ce_id") or "",
            )
        )
