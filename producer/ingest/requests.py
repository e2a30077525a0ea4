"""From a request to the record that asks for it. Pure."""

from typing import Any

from runtime.publishing import Outgoing
from schemas import codec, headers
from schemas.canonical import NO_OVERRIDES, CloneRequest
from schemas.events import CloneCancelRequested, CloneRequested, EventName
from schemas.ids import text_of
from schemas.topics import REQUESTS


def clone_record(
    request: CloneRequest,
    *,
    requested_by: str,
    requested_at_ms: int,
    idempotency_key: str | None = None,
    deadline_at_ms: int | None = None,
) -> CloneRequested:
    """The record of a clone request."""
    overrides = request.overrides
    return {
        "orgId": text_of(request.org_id),
        "containerId": str(request.container_id),
        "projectId": text_of(request.project_id),
        "projectLayerId": None if request.project_layer_id is None else str(request.project_layer_id),
        "sourcePlatformPostId": request.source,
        "mode": request.mode,
        "variations": request.variations,
        "overrides": None
        if overrides == NO_OVERRIDES
        else {
            "caption": overrides.caption,
            "cta": overrides.cta,
            "voiceOverScript": overrides.voice_over_script,
        },
        "requestedBy": requested_by,
        "requestedAt": requested_at_ms,
        "idempotencyKey": idempotency_key,
        "deadlineAt": deadline_at_ms,
    }


def outgoing(
    name: EventName,
    record: CloneRequested | CloneCancelRequested,
    *,
    request_id: str,
    at_ms: int,
    traceparent: str | None,
    topic_prefix: str,
    reply_partition: int | None = None,
) -> Outgoing:
    """The record for clone.requests. The request id is its ce_id; a reply partition asks for a CloneReply."""
    record_headers = headers.public(name, request_id, at_ms, traceparent)
    if reply_partition is not None:
        record_headers.append((headers.REPLY_TO, b"%d" % reply_partition))
    value: Any = record
    return Outgoing(
        topic_prefix + REQUESTS.name, record["containerId"].encode(), codec.encode(name, value), record_headers
    )
