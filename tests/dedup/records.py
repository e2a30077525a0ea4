"""Records of clone.requests as a producer writes them and a consumer reads them."""

import time
import uuid
from dataclasses import dataclass, field, replace
from typing import Any

from runtime.record import ClientHeaders
from schemas import codec
from schemas.canonical import job_id
from schemas.events import CloneCancelRequested, CloneRequested, EventName
from schemas.request_rules import request_from_event
from tests.dedup.world import Project


@dataclass(frozen=True, slots=True)
class Read:
    """A consumed record: what `runtime.record.Record` promises, as plain values."""

    key_bytes: bytes | None
    value_bytes: bytes | None
    header_list: tuple[tuple[str, bytes | None], ...] = ()
    at_partition: int = 0
    at_offset: int = 0
    of_topic: str = "clone.requests"
    written_ms: int = field(default_factory=lambda: time.time_ns() // 1_000_000)

    def at(self, partition: int, offset: int) -> "Read":
        return replace(self, at_partition=partition, at_offset=offset)

    def with_headers(self, **headers: str) -> "Read":
        return replace(self, header_list=tuple((name, text.encode()) for name, text in headers.items()))

    def asking(self, partition: int | str, request_id: str | None = None) -> "Read":
        """The same record from someone who waits for a reply."""
        return self.with_headers(reply_to=str(partition), ce_id=request_id or str(uuid.uuid4()))

    def topic(self) -> str | None:
        return self.of_topic

    def partition(self) -> int | None:
        return self.at_partition

    def offset(self) -> int | None:
        return self.at_offset

    def key(self) -> bytes | str | None:
        return self.key_bytes

    def value(self) -> bytes | str | None:
        return self.value_bytes

    def headers(self) -> ClientHeaders:
        return list(self.header_list)

    def set_headers(self, headers: list[tuple[str, str | bytes | None]]) -> None:
        raise AssertionError("these can be read")

    def timestamp(self) -> tuple[int, int]:
        return 1, self.written_ms


def clone_fields(project: Project, container_id: uuid.UUID | None = None, **changes: Any) -> CloneRequested:
    """A well-formed request; `changes` replace fields by their Avro names."""
    fields: dict[str, Any] = {
        "orgId": str(project.org_id),
        "containerId": str(container_id or uuid.uuid4()),
        "projectId": str(project.project_id),
        "projectLayerId": None,
        "sourcePlatformPostId": str(project.post_id),
        "mode": "fork",
        "variations": 1,
        "overrides": None,
        "requestedBy": "test",
        "requestedAt": 1_760_000_000_000,
        "idempotencyKey": None,
        "deadlineAt": None,
    }
    return {**fields, **changes}  # type: ignore[typeddict-item]  # tests break fields on purpose


def clone(project: Project, container_id: uuid.UUID | None = None, **changes: Any) -> Read:
    return encoded("CloneRequested", clone_fields(project, container_id, **changes))


def cancel_of(request: Read, **changes: Any) -> Read:
    """A cancel of the job that the request names."""
    asked = codec.decode(request.value_bytes, frozenset({"CloneRequested"})).record
    fields: CloneCancelRequested = {
        "orgId": asked["orgId"],
        "containerId": asked["containerId"],
        "jobId": str(job_of(request)),
        "requestedBy": "test",
        "requestedAt": 1_760_000_000_000,
        "reason": None,
    }
    return encoded("CloneCancelRequested", {**fields, **changes})


def encoded(name: EventName, fields: Any) -> Read:
    return Read(fields["containerId"].lower().encode(), codec.encode(name, fields))


def job_of(request: Read) -> uuid.UUID:
    """The job that a well-formed request names."""
    record = codec.decode(request.value_bytes, frozenset({"CloneRequested"})).record
    return job_id(request_from_event(record))
