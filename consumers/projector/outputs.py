"""The terminal event of a job. Pure: rows that never change give bytes that never change, so repeats are exact."""

import uuid
from typing import Any, Final, cast

from consumers.projector.transitions import count, failure
from runtime.publishing import Outgoing
from schemas import codec, headers
from schemas.events import EventName, JobCanceled, JobCompleted, JobFailed, VariationOutcome
from schemas.ids import JobId, event_id, known_text, variation_id_text
from schemas.topics import JOB_EVENTS
from storage.projection import Facts

_EVENT: Final[dict[str, EventName]] = {
    "completed": "JobCompleted",
    "failed": "JobFailed",
    "canceled": "JobCanceled",
}
_STATUS: Final = {"succeeded": "completed", "failed": "failed", "canceled": "canceled"}


def terminal_event(
    facts: Facts, *, status: str, finished_at_ms: int, topic_prefix: str
) -> tuple[uuid.UUID, bytes, Outgoing]:
    """The event of a job that ended so: its id, its bytes, and its record for clone.job-events."""
    name = _EVENT[status]
    event = event_id(JobId(facts.job.job_id), name)
    event_text = str(event)
    record: Any
    if status == "completed":
        record = _completed(facts, event_text, finished_at_ms)
    elif status == "failed":
        record = _failed(facts, event_text, finished_at_ms)
    else:
        record = cast("JobCanceled", _ended(facts, event_text, finished_at_ms))
    value = codec.encode(name, record)
    announced = Outgoing(
        topic=topic_prefix + JOB_EVENTS.name,
        key=facts.claim.container_id.encode(),
        value=value,
        headers=headers.public(name, event_text, finished_at_ms, facts.claim.traceparent),
    )
    return event, value, announced


def _completed(facts: Facts, event_text: str, finished_at_ms: int) -> JobCompleted:
    claim, counts = facts.claim, count(facts.variations)
    return {
        "eventId": event_text,
        "jobId": str(claim.job_id),
        "orgId": known_text(claim.org_id),
        "projectId": claim.project_id,
        "projectLayerId": claim.layer_id,
        "containerId": claim.container_id,
        "sourcePostId": claim.source_post_id,
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
            "variationId": variation_id_text(JobId(facts.claim.job_id), v.index),
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


def _failed(facts: Facts, event_text: str, finished_at_ms: int) -> JobFailed:
    code, message = failure(facts.variations)
    return cast("JobFailed", {**_ended(facts, event_text, finished_at_ms), "code": code, "message": message})


def _ended(facts: Facts, event_text: str, finished_at_ms: int) -> dict[str, Any]:
    claim, counts = facts.claim, count(facts.variations)
    return {
        "eventId": event_text,
        "jobId": str(claim.job_id),
        "orgId": known_text(claim.org_id),
        "projectId": claim.project_id,
        "containerId": claim.container_id,
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
