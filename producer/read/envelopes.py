"""The shapes of the read side. Pure: rows in, JSON-ready dictionaries out."""

import uuid
from collections.abc import Sequence
from typing import Any, Final

from schemas.headers import rfc3339
from schemas.ids import JobId, format_id, variation_id

KIND: Final = "content_clone_from_post"
TERMINAL: Final = frozenset({"completed", "failed", "canceled"})
_VARIATION_STATUS: Final = {
    "pending": "pending",
    "leased": "running",
    "succeeded": "completed",
    "failed": "failed",
    "canceled": "canceled",
}

Row = dict[str, Any]


def job_envelope(job: Row, variations: Sequence[Row] | None) -> Row:
    """An accepted job. `variations` are its rows, needed once it has ended."""
    ended = job["status"] in TERMINAL
    job_text = format_id("job", job["job_id"])
    return {
        "jobId": job_text,
        "kind": KIND,
        "status": job["status"],
        "stage": job["stage"],
        "progress": job["progress"],
        "projectId": format_id("proj", job["project_id"]),
        "containerId": format_id("cnt", job["container_id"]),
        "locationUrl": f"/v1/jobs/{job_text}",
        "startedAt": rfc3339(job["accepted_at_ms"]),
        "finishedAt": _time(job["finished_at_ms"]),
        "result": result(job, variations or ()) if ended else None,
        "error": _error(job["error_code"], job["error_message"]),
    }


def refused_envelope(refusal: Row) -> Row:
    """A request that was refused after an optimistic 202: a failed job that never ran."""
    job_text = format_id("job", refusal["job_id"])
    at = rfc3339(refusal["refused_at_ms"])
    error = {"code": refusal["code"], "message": refusal["message"]}
    if refusal["details"]:
        error["details"] = refusal["details"]
    project_id = refusal["project_id"]
    return {
        "jobId": job_text,
        "kind": KIND,
        "status": "failed",
        "stage": "queued",
        "progress": 0.0,
        "projectId": None if project_id is None else format_id("proj", project_id),
        "containerId": format_id("cnt", refusal["container_id"]),
        "locationUrl": f"/v1/jobs/{job_text}",
        "startedAt": at,
        "finishedAt": at,
        "result": None,
        "error": error,
    }


def result(job: Row, variations: Sequence[Row]) -> Row:
    """What a job has made so far, every variation included."""
    rows = {row["variation_index"]: row for row in variations}
    return {
        "containerId": format_id("cnt", job["container_id"]),
        "variations": [
            variation(job["job_id"], job["container_id"], index, rows.get(index)) for index in range(job["variations"])
        ],
        "counts": {
            "requested": job["variations"],
            "completed": job["succeeded"],
            "failed": job["failed"],
            "canceled": job["canceled"],
        },
    }


def variation(job_id: uuid.UUID, container_id: uuid.UUID, index: int, row: Row | None) -> Row:
    """One variation; everything but its identity is null while it is not there yet."""
    creative = (row and row["creative"]) or {}
    shown: Row = {
        "id": format_id("var", variation_id(JobId(job_id), index)),
        "index": index,
        "status": "pending" if row is None else _VARIATION_STATUS[row["state"]],
        "hook": creative.get("hook"),
        "caption": creative.get("caption"),
        "cta": creative.get("cta"),
        "voiceOverScript": creative.get("voiceOverScript"),
        "shots": creative.get("shots"),
        "durationMs": row["duration_ms"] if row else None,
        "assets": _assets(job_id, container_id, index, row),
    }
    if row is not None and row["error_code"] is not None:
        shown["error"] = _error(row["error_code"], row["error_message"])
    return shown


def content(job: Row, variations: Sequence[Row]) -> Row:
    """The container with every variation, and how each was made."""
    shown = result(job, variations)
    rows = {row["variation_index"]: row for row in variations}
    for item in shown["variations"]:
        row = rows.get(item["index"])
        item["hookShape"] = row["hook_shape"] if row else None
        item["visualFormat"] = row["visual_format"] if row else None
        item["provenance"] = row["provenance"] if row else None
        item["rendering"] = _rendering(row)
    return {
        "containerId": shown["containerId"],
        "projectId": format_id("proj", job["project_id"]),
        "projectLayerId": format_id("lay", job["layer_id"]),
        "jobId": format_id("job", job["job_id"]),
        "status": job["status"],
        "mode": job["mode"],
        "createdAt": rfc3339(job["accepted_at_ms"]),
        "finishedAt": _time(job["finished_at_ms"]),
        "counts": shown["counts"],
        "variations": shown["variations"],
        "error": _error(job["error_code"], job["error_message"]),
    }


def content_summary(job: Row) -> Row:
    """A container as a list shows it."""
    return {
        "containerId": format_id("cnt", job["container_id"]),
        "projectId": format_id("proj", job["project_id"]),
        "jobId": format_id("job", job["job_id"]),
        "status": job["status"],
        "mode": job["mode"],
        "createdAt": rfc3339(job["accepted_at_ms"]),
        "finishedAt": _time(job["finished_at_ms"]),
        "counts": {
            "requested": job["variations"],
            "completed": job["succeeded"],
            "failed": job["failed"],
            "canceled": job["canceled"],
        },
    }


def progress(job: Row, *, now_ms: int, rendering: Row | None = None) -> Row:
    """How far a container is. The estimate extends the pace so far; null before anything has ended.

    `rendering` says how far the assets of a job that has ended are: until all are there the stage is rendering.
    """
    if rendering is not None and job["status"] in TERMINAL:
        return _rendering_progress(job, rendering, now_ms)
    done = job["progress"]
    elapsed_ms = max(0, now_ms - job["accepted_at_ms"])
    running = job["status"] == "running"
    eta_seconds = round(elapsed_ms / 1000 * (1 - done) / done) if running and done > 0 else None
    return {
        "containerId": format_id("cnt", job["container_id"]),
        "status": job["status"],
        "stage": job["stage"],
        "stageProgress": done,
        "etaSeconds": eta_seconds if running else 0,
        "updatedAt": rfc3339(job["updated_at_ms"]),
    }


def _rendering_progress(job: Row, rendering: Row, now_ms: int) -> Row:
    expected, ended = rendering["expected"], rendering["ended"]
    left = expected - ended
    elapsed_seconds = max(0, now_ms - job["finished_at_ms"]) / 1000
    eta_seconds = round(elapsed_seconds * left / ended) if ended else None
    return {
        "containerId": format_id("cnt", job["container_id"]),
        "status": job["status"],
        "stage": "rendering" if left else "finalizing",
        "stageProgress": ended / expected,
        "etaSeconds": eta_seconds if left else 0,
        "updatedAt": rfc3339(max(job["updated_at_ms"], rendering["ended_at_ms"] or 0)),
    }


def _assets(job_id: uuid.UUID, container_id: uuid.UUID, index: int, row: Row | None) -> list[Row]:
    found: list[Row] = (row and row.get("assets")) or []
    variation_text = format_id("var", variation_id(JobId(job_id), index))
    folder = f"/v1/content/{format_id('cnt', container_id)}/variations/{variation_text}/assets"
    return [{**asset, "url": f"{folder}/{asset['name']}"} for asset in found]


def _rendering(row: Row | None) -> Row | None:
    """What becomes of the assets; null where none are to be made."""
    if row is None or row.get("render_state") is None:
        return None
    status = {"leased": "running"}.get(row["render_state"], row["render_state"])
    return {"status": status, "error": _error(row["render_error_code"], row["render_error_message"])}


def _time(at_ms: int | None) -> str | None:
    return None if at_ms is None else rfc3339(at_ms)


def _error(code: str | None, message: str | None) -> Row | None:
    return None if code is None else {"code": code, "message": message or ""}
