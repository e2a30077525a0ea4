"""What a job is, given its claim and variations, by the contract's text: status, counts, charge, event, envelope."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from bench.checker import identity
from bench.checker.snapshot import Claim, Job, Refusal, Variation

_SHOWN_STATE: Final = {
    "pending": "pending",
    "leased": "running",
    "succeeded": "completed",
    "failed": "failed",
    "canceled": "canceled",
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Folded:
    """A job as its variations make it. `error_code` is that of a failed one."""

    status: str
    succeeded: int
    failed: int
    canceled: int
    error_code: str | None


def fold(claim: Claim, rows: Sequence[Variation]) -> Folded:
    """Running until all have ended; then canceled if any was, completed if one succeeded, else failed."""
    states = [row.state for row in rows]
    succeeded, failed, canceled = (states.count(state) for state in ("succeeded", "failed", "canceled"))
    status, code = "running", None
    if succeeded + failed + canceled == claim.variations:
        status = "canceled" if canceled else "completed" if succeeded else "failed"
    if status == "failed":
        codes = [row.error_code for row in rows if row.state == "failed"]
        code = "DEADLINE_EXCEEDED" if "DEADLINE_EXCEEDED" in codes else codes[0]
    return Folded(status, succeeded, failed, canceled, code)


def ended_event(claim: Claim, job: Job, rows: Sequence[Variation]) -> dict[str, Any]:
    """What the terminal event of any kind says, without its id."""
    folded = fold(claim, rows)
    return {
        "jobId": claim.job,
        "orgId": claim.org,
        "projectId": claim.project,
        "containerId": claim.container,
        "variationsRequested": claim.variations,
        "variationsSucceeded": folded.succeeded,
        "variationsFailed": folded.failed,
        "creditsCharged": folded.succeeded * claim.price,
        "requestedBy": claim.requested_by,
        "requestedAt": claim.requested_at_ms,
        "acceptedAt": claim.accepted_at_ms,
        "finishedAt": job.finished_at_ms,
    }


def completion_of(claim: Claim, job: Job, rows: Sequence[Variation]) -> dict[str, Any]:
    """What the completion event says, without its id."""
    return {
        **ended_event(claim, job, rows),
        "projectLayerId": claim.layer,
        "sourcePostId": claim.source_post,
        "sourcePlatform": claim.source_platform,
        "mode": claim.mode,
        "generator": next((row.generator for row in rows if row.state == "succeeded" and row.generator), ""),
        "variations": [
            {
                "variationId": identity.variation_id(claim.job, row.index),
                "index": row.index,
                "status": _SHOWN_STATE[row.state],
                "hookShape": row.hook_shape,
                "visualFormat": row.visual_format,
                "durationMs": row.duration_ms,
                "attempts": row.attempt,
                "errorCode": row.error_code,
            }
            for row in rows
        ],
    }


def envelope(
    claim: Claim, job: Job, rows: Sequence[Variation], creatives: Mapping[tuple[str, int], Mapping[str, Any]]
) -> dict[str, Any]:
    """The envelope of a job that has ended."""
    shown, folded = identity.shown("job", claim.job), fold(claim, rows)
    container = identity.shown("cnt", claim.container)
    return {
        "jobId": shown,
        "kind": "content_clone_from_post",
        "status": folded.status,
        "stage": "finalizing",
        "progress": 1.0,
        "projectId": identity.shown("proj", claim.project),
        "containerId": container,
        "locationUrl": f"/v1/jobs/{shown}",
        "startedAt": _time(claim.accepted_at_ms),
        "finishedAt": None if job.finished_at_ms is None else _time(job.finished_at_ms),
        "result": {
            "containerId": container,
            "variations": [_variation(row, creatives.get((row.job, row.index), {})) for row in rows],
            "counts": {
                "requested": claim.variations,
                "completed": folded.succeeded,
                "failed": folded.failed,
                "canceled": folded.canceled,
            },
        },
        "error": _error(folded.error_code, job.error_message),
    }


def refused_envelope(refusal: Refusal) -> dict[str, Any]:
    """The envelope of a request that was refused after an optimistic 202."""
    shown, at = identity.shown("job", refusal.job), _time(refusal.refused_at_ms)
    error: dict[str, Any] = {"code": refusal.code, "message": refusal.message}
    if refusal.details not in (None, "{}", "null"):
        error["details"] = json.loads(refusal.details or "{}")
    return {
        "jobId": shown,
        "kind": "content_clone_from_post",
        "status": "failed",
        "stage": "queued",
        "progress": 0.0,
        "projectId": None if refusal.project is None else identity.shown("proj", refusal.project),
        "containerId": identity.shown("cnt", refusal.container),
        "locationUrl": f"/v1/jobs/{shown}",
        "startedAt": at,
        "finishedAt": at,
        "result": None,
        "error": error,
    }


def _variation(row: Variation, creative: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": identity.shown("var", identity.variation_id(row.job, row.index)),
        "index": row.index,
        "status": _SHOWN_STATE[row.state],
        **{name: creative.get(name) for name in ("hook", "caption", "cta", "voiceOverScript", "shots")},
        "durationMs": row.duration_ms,
        "assets": [],
    }
    if row.error_code is not None:
        shown["error"] = _error(row.error_code, row.error_message)
    return shown


def _error(code: str | None, message: str | None) -> dict[str, Any] | None:
    return None if code is None else {"code": code, "message": message}


def _time(at_ms: int) -> str:
    return (_EPOCH + timedelta(milliseconds=at_ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
