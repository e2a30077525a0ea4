"""`ClonePublisher`: what an internal Python system needs to ask for clones straight over Kafka.

Any other system needs the `.avsc` files and a Kafka client; this class does nothing that they cannot.
"""

import os
import time
from types import TracebackType
from typing import Self

from producer.ingest.requests import clone_record, outgoing
from runtime.publishing import Publisher
from runtime.schema_registry import connect
from runtime.settings import Settings, kafka_client_settings
from runtime.trace import new_traceparent
from schemas.canonical import CloneRequest, job_id
from schemas.events import CloneCancelRequested, CloneRequested, EventName
from schemas.ids import ContainerId, JobId, OrgId, new_request_id
from schemas.request_rules import request_from_event


class ClonePublisher:
    """Publishes clone requests and cancels. One instance per process; safe to share between threads.

    Settings come from `KAFKA_*` variables (`KAFKA_BOOTSTRAP_SERVERS` at least) unless they are given. With a
    `SCHEMA_REGISTRY_URL` records leave in the Confluent wire format, else as Avro single objects; both are read.
    """

    def __init__(self, *, requested_by: str, settings: Settings | None = None) -> None:
        """`requested_by` names the calling system, as events will show it.

        Raises RegistryUnavailable when a schema registry is configured and does not answer.
        """
        self._requested_by = requested_by
        self._settings = settings or Settings(kafka=kafka_client_settings(os.environ))
        self._publisher = Publisher(self._settings, framing=connect(self._settings))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def request(
        self, request: CloneRequest, *, idempotency_key: str | None = None, deadline_at_ms: int | None = None
    ) -> JobId:
        """Ask for a clone. On return the request is durable, and the job id is final: asking again names the same job.

        Whether it is accepted, clone.admissions says. Raises RequestInvalid, with nothing published, when the shape is
        wrong by the rules that the dedup stage has too; BrokerUnavailable when the outcome is unknown, and then asking
        again is safe and right.
        """
        now_ms = _now_ms()
        record = clone_record(
            request,
            requested_by=self._requested_by,
            requested_at_ms=now_ms,
            idempotency_key=idempotency_key,
            deadline_at_ms=deadline_at_ms,
        )
        # Read back as the dedup stage reads it: ids normalised, so that the job id is the one that it will compute.
        read = request_from_event(record)
        self._publish("CloneRequested", record, now_ms)
        return job_id(read)

    def cancel(self, org_id: OrgId, container_id: ContainerId, job: JobId, *, reason: str | None = None) -> None:
        """Ask for a cancel. On return the request is durable. Raises BrokerUnavailable when the outcome is unknown."""
        now_ms = _now_ms()
        record: CloneCancelRequested = {
            "orgId": str(org_id),
            "containerId": str(container_id),
            "jobId": str(job),
            "requestedBy": self._requested_by,
            "requestedAt": now_ms,
            "reason": reason,
        }
        self._publish("CloneCancelRequested", record, now_ms)

    def close(self) -> None:
        """Release the client. Everything published is already durable."""
        self._publisher.close()

    def _publish(self, name: EventName, record: CloneRequested | CloneCancelRequested, now_ms: int) -> None:
        sent = outgoing(
            name,
            record,
            request_id=str(new_request_id()),
            at_ms=now_ms,
            traceparent=new_traceparent(),
            topic_prefix=self._settings.topic_prefix,
        )
        self._publisher.publish([sent])


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
