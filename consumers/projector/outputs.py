"""The terminal event of a job. Pure: rows that never change give bytes that never change, so repeats are exact."""

import uuid
from typing import Any, Final, cast

from consumers.projector.transitions import count, failure
from runtime.publishing import Outgoing
from schemas import codec, headers
from schemas.events import EventName, JobCanceled, JobCompleted, JobFailed, VariationOutcome
from schemas.ids import JobId, event_id, variation_id
from schemas.topics import JOB_EVENTS
from storage.projection import Facts

_EVENT: Final[dict[str, EventName]] = {
    "completed": "JobCompleted",
    "failed": "JobFailed",
    "canceled": "JobCanceled",
}
_STATUS: Final = {"succeeded": "completed", "failed": "failed", "canceled": "canceled"}


def terminal_event(facts: Facts, *, status: str, finished_at_ms: int) -> tuple[EventName, uuid.UUID, bytes]:
    """The event of a job that ended so: its name, its id and its bytes."""
    name = _EVENT[status]
    event = event_id(JobId(facts.job.job_id), name)
    record: Any
    if status == "completed":
        record = _completed(facts, event, finished_at_ms)
    elif status == "failed":
        record = _failed(facts, event, finished_at_ms)
    else:
        record = _canceled(facts, event, finished_at_ms)
    return name, event, codec.encode(name, record)


def job_event(
    facts: Facts, name: EventName, event: uuid.UUID, value: bytes, *, finished_at_ms: int, topic_prefix: str
) -> Outgoing:
    """The record for clone.job-events."""
    return Outgoing(
        topic=topic_prefix + JOB_EVENTS.name,
        key=str(facts.claim.container_id).encode(),
        value=value,
        headers=headers.public(name, str(event), finished_at_ms, facts.claim.traceparent),
    )


def _completed(facts: Facts, event: uuid.UUID, finished_at_ms: int) -> JobCompleted:
    claim, counts = facts.claim, count(facts.variations)
    return {
        "eventId": str(event),
        "jobId": str(claim.job_id),
        "orgId": str(claim.org_id),
        "projectId": str(claim.project_id),
        "projectLayerId": str(claim.layer_id),
        "containerId": str(claim.container_id),
        "sourcePostId": str(claim.source_post_id),
        "sourcePlatform": claim.source_platform,
        "mode": cast("Any", claim.mode),
        "variationsRequested": claim.variations,
        "variationsSucceeded": counts.succeeded,
        "variationsFailed": counts.failed,
        "creditsCharged": counts.succeeded * claim.variation_price,
        "requestedBy": claim.requested_by,
        "requestedAt": claim.requested_at_ms,
        "acceptedAt": claim.accepted_at_ms,
        "finishedAt": finished_at_ms,
        "generator": next((v.generator for v in facts.variations if v.state == "succeeded" and v.generator), ""),
        "variations": _outcomes(facts),
    }


def _outcomes(facts: Facts) -> list[VariationOutcome]:
    return [
        {
            "variationId": str(variation_id(JobId(facts.claim.job_id), v.index)),
            "index": v.index,
            "status": cast("Any", _STATUS[v.state]),
            "hookShape": v.hook_shape,
            "visualFormat": v.visual_format,
            "durationMs": v.duration_ms,
            "attempts": v.attempt,
            "errorCode": v.error_code,
        }
        for v in facts.variations
    ]


def _failed(facts: Facts, event: uuid.UUID, finished_at_ms: int) -> JobFailed:
    code, message = failure(facts.variations)
    return cast("JobFailed", {**_ended(facts, event, finished_at_ms), "code": code, "message": message})


def _canceled(facts: Facts, event: uuid.UUID, finished_at_ms: int) -> JobCanceled:
    return cast("JobCanceled", _ended(facts, event, finished_at_ms))


def _ended(facts: Facts, event: uuid.UUID, finished_at_ms: int) -> dict[str, Any]:
    claim, counts = facts.claim, count(facts.variations)
    return {
        "eventId": str(event),
        "jobId": str(claim.job_id),
        "orgId": str(claim.org_id),
        "projectId": str(claim.project_id),
        "containerId": str(claim.container_id),
        "variationsRequested": claim.variations,
        "variationsSucceeded": counts.succeeded,
        "variationsFailed": counts.failed,
        "variationsCanceled": counts.canceled,
        "creditsCharged": counts.succeeded * claim.variation_price,
        "requestedBy": claim.requested_by,
        "requestedAt": claim.requested_at_ms,
        "acceptedAt": claim.accepted_at_ms,
        "finishedAt": finished_at_ms,
    }
