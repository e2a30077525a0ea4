"""An internal system that writes to Kafka with nothing but the .avsc files, and keeps its delivery reports."""

import threading
import time
import uuid
from collections import deque
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaError, Message, Producer

from bench.checker.avro import encode
from bench.checker.history import Produced, Recorder, now_seconds
from bench.checker.system import REQUESTS, System
from bench.load.plan import Cancel, Clone, Poison

_Headers = list[tuple[str, str | bytes | None]]
_FLUSH_SECONDS: Final = 0.2


class _Record(NamedTuple):
    topic: str
    key: bytes
    value: bytes | None
    headers: _Headers
    entry: dict[str, Any]


class InternalSystem:
    """Produces records. One that is not acknowledged is written down so and produced again: duplicates are safe.

    For one thread at a time: the client's call-backs run in its calls alone.
    """

    def __init__(self, system: System, recorder: Recorder, stopping: threading.Event) -> None:
        self._system = system
        self._recorder = recorder
        self._stopping = stopping
        self._waiting = 0
        self._refused: deque[_Record] = deque()
        self._producer = Producer(
            {
                **system.kafka,
                "enable.idempotence": True,
                "acks": "all",
                "partitioner": "murmur2_random",
                # An outage stalls it: giving a record up would leave its fate unknown, and double it.
                "delivery.timeout.ms": 120_000,
                "linger.ms": 2,
                "allow.auto.create.topics": False,
                "enable.metrics.push": False,
            }
        )

    def send(self, operation: Clone | Cancel | Poison) -> None:
        """Queue one record."""
        if isinstance(operation, Poison):
            entry: dict[str, Any] = {"what": "poison", "key_hex": operation.key.hex()}
            entry["value_hex"] = None if operation.value is None else operation.value.hex()
            self._produce(operation.topic, operation.key, operation.value, [], entry)
            return
        clone = isinstance(operation, Clone)
        name = "CloneRequested" if clone else "CloneCancelRequested"
        value = encode(name, _clone(operation) if isinstance(operation, Clone) else _cancel(operation))
        headers: _Headers = [("ce_id", str(uuid.uuid4()).encode()), ("ce_type", f"clonepost.events.{name}".encode())]
        entry = {"what": "clone" if clone else "cancel", "org": operation.org, "job": operation.job}
        entry["container"] = operation.container
        self._produce(REQUESTS, operation.container.encode(), value, headers, entry)

    def flush(self) -> None:
        """Wait until every record is acknowledged, or the load is stopped."""
        while self._waiting and not self._stopping.is_set():
            self._producer.flush(_FLUSH_SECONDS)
            self._produce_again()

    def close(self) -> None:
        """Forget what is not acknowledged; each is written down as unknown."""
        self._producer.purge()
        self._producer.flush(1)

    def _produce(self, topic: str, key: bytes, value: bytes | None, headers: _Headers, entry: dict[str, Any]) -> None:
        self._waiting += 1
        self._hand_over(_Record(self._system.topic(topic), key, value, headers, entry))
        self._producer.poll(0)
        self._produce_again()

    def _hand_over(self, record: _Record) -> None:
        started = now_seconds()

        def delivered(error: KafkaError | None, message: Message) -> None:
            acknowledged = error is None
            self._recorder.add(
                Produced(
                    topic=record.topic,
                    partition=message.partition() if acknowledged else None,
                    offset=message.offset() if acknowledged else None,
                    started_at=started,
                    ended_at=now_seconds(),
                    **record.entry,
                )
            )
            if acknowledged:
                self._waiting -= 1
            else:
                # Not from here: the client aborts the process where a call-back asks for call-backs.
                self._refused.append(record)

        while True:
            try:
                self._producer.produce(
                    record.topic, record.value, record.key, headers=record.headers, on_delivery=delivered
                )
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def _produce_again(self) -> None:
        while self._refused and not self._stopping.is_set():
            self._hand_over(self._refused.popleft())


def _clone(operation: Clone) -> dict[str, Any]:
    fields = operation.fields
    overrides = fields.get("overrides")
    return {
        "orgId": operation.org,
        "containerId": operation.container,
        "projectId": fields["projectId"],
        "projectLayerId": fields.get("projectLayerId"),
        "sourcePlatformPostId": fields["sourcePlatformPostId"],
        "mode": fields.get("mode") or "fork",
        "variations": fields.get("variations") or 1,
        "overrides": None
        if overrides is None
        else {name: overrides.get(name) for name in ("caption", "cta", "voiceOverScript")},
        "requestedBy": "load",
        "requestedAt": time.time_ns() // 1_000_000,
        "idempotencyKey": operation.idempotency_key,
        "deadlineAt": None,
    }


def _cancel(operation: Cancel) -> dict[str, Any]:
    return {
        "orgId": operation.org,
        "containerId": operation.container,
        "jobId": operation.job,
        "requestedBy": "load",
        "requestedAt": time.time_ns() // 1_000_000,
        "reason": None,
    }
