"""An internal system that writes to Kafka with nothing but the .avsc files, and keeps its delivery reports."""

import threading
import time
import uuid
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from bench.checker.avro import encode
from bench.checker.history import Produced, Recorder, now_seconds
from bench.checker.system import REQUESTS, System
from bench.load.plan import Cancel, Clone, Poison

_Headers = list[tuple[str, str | bytes | None]]
_FLUSH_SECONDS: Final = 0.2


class InternalSystem:
    """Produces records. One that is not acknowledged is written down so and produced again: duplicates are safe."""

    def __init__(self, system: System, recorder: Recorder, stopping: threading.Event) -> None:
        self._system = system
        self._recorder = recorder
        self._stopping = stopping
        self._waiting = 0
        self._turn = threading.Lock()
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

    def close(self) -> None:
        """Forget what is not acknowledged; each is written down as unknown."""
        self._producer.purge()
        self._producer.flush(1)

    def _produce(self, topic: str, key: bytes, value: bytes | None, headers: _Headers, entry: dict[str, Any]) -> None:
        started = now_seconds()
        full_name = self._system.topic(topic)

        def delivered(error: KafkaError | None, message: Message) -> None:
            acknowledged = error is None
            self._recorder.add(
                Produced(
                    topic=full_name,
                    partition=message.partition() if acknowledged else None,
                    offset=message.offset() if acknowledged else None,
                    started_at=started,
                    ended_at=now_seconds(),
                    **entry,
                )
            )
            with self._turn:
                self._waiting -= 1
            if not acknowledged and not self._stopping.is_set():
                self._produce(topic, key, value, headers, entry)

        with self._turn:
            self._waiting += 1
        while True:
            try:
                self._producer.produce(full_name, value, key, headers=headers, on_delivery=delivered)
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException:
                with self._turn:
                    self._waiting -= 1
                raise
            else:
                self._producer.poll(0)
                return


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
