"""From a Kafka record to a question for `decide`, or to poison. Pure."""

import uuid
from dataclasses import dataclass
from typing import NamedTuple, cast

from runtime.errors import Poison
from runtime.record import Record, header_pairs, raw_bytes
from runtime.trace import valid_traceparent
from schemas import codec, headers
from schemas.canonical import CloneRequest, job_id
from schemas.events import CloneCancelRequested, CloneRequested
from schemas.ids import InvalidId, parse_id, parse_uuid
from schemas.request_rules import (
    MAX_REQUESTED_BY_CHARACTERS,
    MAX_TIME_MS,
    FieldProblem,
    RequestInvalid,
    job_id_of_malformed,
    request_from_event,
)
from schemas.topics import REQUESTS
from storage.place import Place

MAX_REASON_CHARACTERS = 500


class Asker(NamedTuple):
    """Who waits for the answer: a partition of clone.replies and the request's ce_id; and the trace it belongs to.

    Whether there is such a partition is looked at when the answer is made.
    """

    reply_partition: int | None
    request_id: str | None
    traceparent: str | None


class CloneQuestion(NamedTuple):
    """A clone request. `request` is None when its shape is wrong; `problems` then says why."""

    place: Place
    asker: Asker
    container_id: uuid.UUID
    org_text: str
    org_id: uuid.UUID | None
    job_id: uuid.UUID
    request: CloneRequest | None
    problems: tuple[FieldProblem, ...]
    project_id: uuid.UUID | None
    requested_by: str
    requested_at_ms: int
    idempotency_key: str | None
    deadline_at_ms: int | None


@dataclass(frozen=True, slots=True)
class CancelQuestion:
    """A cancel. `job_id` is derived from the text when that names none, so that the refusal has an id."""

    place: Place
    asker: Asker
    container_id: uuid.UUID
    org_text: str
    org_id: uuid.UUID | None
    job_text: str
    job_id: uuid.UUID
    problems: tuple[FieldProblem, ...]
    requested_by: str
    reason: str | None


Question = CloneQuestion | CancelQuestion


def read_record(record: Record) -> Question:
    """Read one record of clone.requests. Raises Poison where no decision could be addressed to anyone."""
    try:
        decoded = codec.decode(raw_bytes(record.value()), REQUESTS.records)
    except codec.UndecodableRecord as error:
        raise Poison(error.reason, str(error)) from error
    fields = cast("CloneRequested | CloneCancelRequested", decoded.record)
    container_id = parse_uuid(fields["containerId"])
    if container_id is None:
        raise Poison("BAD_CONTAINER_ID", "containerId is no UUID")
    if raw_bytes(record.key()) != str(container_id).encode():
        raise Poison("WRONG_KEY", "the key is not the record's containerId as lower-case UUID text")
    asker = _asker(record, decoded.name)
    place = Place(record.partition() or 0, record.offset() or 0)
    if decoded.name == "CloneRequested":
        return _clone(place, asker, container_id, cast("CloneRequested", fields))
    return _cancel(place, asker, container_id, cast("CloneCancelRequested", fields))


def _clone(place: Place, asker: Asker, container_id: uuid.UUID, fields: CloneRequested) -> CloneQuestion:
    request: CloneRequest | None = None
    problems: tuple[FieldProblem, ...] = ()
    try:
        request = request_from_event(fields)
    except RequestInvalid as error:
        problems = tuple(error.problems)
    return CloneQuestion(
        place=place,
        asker=asker,
        container_id=container_id,
        org_text=fields["orgId"],
        org_id=request.org_id if request else _id_or_none(fields["orgId"]),
        job_id=job_id(request) if request else job_id_of_malformed(fields),
        request=request,
        problems=problems,
        project_id=request.project_id if request else None,
        requested_by=fields["requestedBy"],
        requested_at_ms=fields["requestedAt"],
        idempotency_key=fields["idempotencyKey"],
        deadline_at_ms=fields["deadlineAt"],
    )


def _cancel(place: Place, asker: Asker, container_id: uuid.UUID, fields: CloneCancelRequested) -> CancelQuestion:
    problems = []
    org_id = _id_or_none(fields["orgId"])
    if org_id is None:
        problems.append(FieldProblem("orgId", "must be a UUID or org_… id"))
    try:
        job: uuid.UUID = parse_id("job", fields["jobId"])
    except InvalidId as error:
        job = uuid.uuid5(container_id, "malformed job " + _clean(fields["jobId"]))
        problems.append(FieldProblem("jobId", str(error)))
    reason = fields["reason"]
    for name, text, most in (
        ("requestedBy", fields["requestedBy"], MAX_REQUESTED_BY_CHARACTERS),
        ("reason", reason or "", MAX_REASON_CHARACTERS),
    ):
        if len(text) > most or "\x00" in text:
            problems.append(FieldProblem(name, f"must have at most {most} characters and no NUL"))
    if not 0 <= fields["requestedAt"] <= MAX_TIME_MS:
        problems.append(FieldProblem("requestedAt", "must be Unix milliseconds before the year 10000"))
    return CancelQuestion(
        place=place,
        asker=asker,
        container_id=container_id,
        org_text=fields["orgId"],
        org_id=org_id,
        job_text=fields["jobId"],
        job_id=job,
        problems=tuple(problems),
        requested_by=fields["requestedBy"],
        reason=reason,
    )


def _asker(record: Record, name: str) -> Asker:
    reply_to: str | None = None
    request_id: str | None = None
    traceparent: str | None = None
    for key, value in header_pairs(record):
        if value is None:
            continue
        if key == headers.CE_TYPE:
            if value.decode("utf-8", "replace") != headers.CE_TYPE_PREFIX + name:
                raise Poison("WRONG_TYPE", f"the ce_type header contradicts the record, which is a {name}")
        elif key == headers.CE_ID:
            request_id = value.decode("utf-8", "replace")
        elif key == headers.REPLY_TO:
            reply_to = value.decode("utf-8", "replace")
        elif key == headers.TRACEPARENT:
            traceparent = valid_traceparent(value.decode("utf-8", "replace"))
    partition = None
    if reply_to is not None and reply_to.isascii() and reply_to.isdigit() and len(reply_to) <= 4:
        partition = int(reply_to)
    if partition is not None and (not request_id or len(request_id) > 255):
        partition = None
    return Asker(partition, request_id, traceparent)


def _id_or_none(text: str) -> uuid.UUID | None:
    try:
        return parse_id("org", text)
    except InvalidId:
        return None


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
