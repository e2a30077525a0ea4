"""OpenAPI 3.1 from the models of `schemas.http`: every route, every status that it can answer."""

from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from producer.openapi_parts import (
    header_parameter,
    id_parameter,
    json_of,
    keyed,
    query_parameter,
    response_headers,
    unkeyed,
)
from schemas import http
from schemas.errors import HTTP_STATUS, ErrorCode
from schemas.request_rules import MAX_IDEMPOTENCY_KEY_CHARACTERS

VERSION: Final = "1.0.0"

_MODELS: Final[tuple[type[BaseModel], ...]] = (
    http.CloneFromPostBody,
    http.Accepted,
    http.ErrorEnvelope,
    http.Job,
    http.JobPage,
    http.CancelAnswer,
    http.Content,
    http.ContentPage,
    http.ContentProgress,
    http.TopPerformerPage,
    http.Credits,
    http.WhoAmI,
    http.Health,
    http.Readiness,
)

_JOB: Final = id_parameter("jobId", "job")
_CONTAINER: Final = id_parameter("containerId", "cnt")
_PROJECT: Final = id_parameter("projectId", "proj")
_PAGE: Final = (
    query_parameter("cursor", {"type": "string"}, "The nextCursor of the page before."),
    query_parameter("limit", {"type": "integer", "minimum": 1, "maximum": 200, "default": 25}, "Items on a page."),
)
_IDEMPOTENCY_KEY: Final = header_parameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": MAX_IDEMPOTENCY_KEY_CHARACTERS, "pattern": "^[!-~]([ -~]*[!-~])?$"},
    "Kept for 24 hours and accepted requests; used again for another request it is a conflict.",
)
_ASSET_TYPES: Final = ("image/webp", "video/mp4", "text/vtt")
_ASSET_NAME: Final = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "The name of an asset of the variation.",
    "schema": {"type": "string", "pattern": "^[a-z0-9.-]+$", "examples": ["video.mp4"]},
}
_ASSET_CONDITIONS: Final = (
    header_parameter("Range", {"type": "string"}, "`bytes=0-1023`, `bytes=1024-` or `bytes=-1024`."),
    header_parameter("If-Range", {"type": "string"}, "The ETag that the range belongs to."),
    header_parameter("If-None-Match", {"type": "string"}, "The ETag that is known."),
)


def document() -> dict[str, Any]:
    """The OpenAPI document."""
    _, definitions = models_json_schema(
        [(model, "validation") for model in _MODELS], ref_template="#/components/schemas/{model}"
    )
    schemas = definitions["$defs"]
    schemas["ErrorBody"]["properties"]["code"]["enum"] = [code.value for code in HTTP_STATUS]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "clonepost",
            "version": VERSION,
            "description": "Takes a platform post that is tracked and makes a new generated container inspired by it.",
        },
        "paths": {**_clone_paths(), **_job_paths(), **_content_paths(), **_account_paths(), **_open_paths()},
        "components": {
            "schemas": schemas,
            "headers": response_headers(),
            "securitySchemes": {
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
        "security": [{"apiKey": []}, {"bearer": []}],
    }


def _clone_paths() -> dict[str, Any]:
    operation = keyed(
        "Clone a tracked post into a new container",
        "cloneFromPost",
        "content:write",
        {202: (http.Accepted, "One job for the clone. The same request again gets the same bytes.")},
        errors=(400, 402, 404, 409, 413, 415),
        parameters=(_CONTAINER, _IDEMPOTENCY_KEY),
        endpoint_class="long-running",
    )
    body = {"required": True, "content": json_of(http.CloneFromPostBody)}
    return {"/v1/content/{containerId}/clone-from-post": {"post": {**operation, "requestBody": body}}}


def _job_paths() -> dict[str, Any]:
    text = {"type": "string"}
    status = {"enum": ["running", "completed", "failed", "canceled"]}
    filters = (
        query_parameter("status", status, "Only jobs in this state."),
        query_parameter("kind", {"enum": ["content_clone_from_post"]}, "Only jobs of this kind."),
        query_parameter("projectId", text, "Only jobs of this project."),
    )
    conditions = (
        header_parameter("Prefer", text, "`wait=n`: wait up to n seconds (at most 60) for a change."),
        header_parameter("If-None-Match", text, "The ETag that is known."),
    )
    resume = header_parameter("Last-Event-ID", text, "The last version that was seen.")
    events = "Events `progress`, then `completed`, `failed` or `canceled`; the id is the job's version."
    return {
        "/v1/jobs": {
            "get": keyed(
                "List jobs, newest first",
                "listJobs",
                "jobs:read",
                {200: (http.JobPage, "Accepted jobs.")},
                parameters=(*filters, *_PAGE),
            )
        },
        "/v1/jobs/{jobId}": {
            "get": keyed(
                "Show a job",
                "getJob",
                "jobs:read",
                {200: (http.Job, "The envelope."), 304: (None, "Unchanged since If-None-Match.")},
                errors=(404,),
                parameters=(_JOB, *conditions),
            )
        },
        "/v1/jobs/{jobId}/events": {
            "get": keyed(
                "Follow a job by server-sent events",
                "followJob",
                "jobs:read",
                {200: ("text/event-stream", events)},
                errors=(404,),
                parameters=(_JOB, resume),
            )
        },
        "/v1/jobs/{jobId}/cancel": {
            "post": keyed(
                "Cancel a job",
                "cancelJob",
                "jobs:cancel",
                {202: (http.CancelAnswer, "Requested."), 200: (http.CancelAnswer, "The job had ended.")},
                errors=(404, 409),
                parameters=(_JOB,),
                endpoint_class="write-light",
                conflicts=(ErrorCode.CONFLICT,),
            )
        },
    }


def _content_paths() -> dict[str, Any]:
    metrics = {"enum": ["views", "engagement_rate", "conversions", "roas", "watch_time_ms"]}
    windows = {"enum": ["7d", "30d", "90d"], "default": "30d"}
    return {
        "/v1/content/{containerId}": {
            "get": keyed(
                "Show a container with all its variations",
                "getContent",
                "content:read",
                {200: (http.Content, "The container; null or empty where it is not ready yet.")},
                errors=(404,),
                parameters=(_CONTAINER,),
            )
        },
        "/v1/content/{containerId}/variations/{variationId}/assets/{name}": {
            "get": keyed(
                "Download a rendered file",
                "getAsset",
                "content:read",
                {
                    200: (_ASSET_TYPES, "The whole file."),
                    206: (_ASSET_TYPES, "The range that was asked for; of several ranges, the whole file."),
                    304: ((), "Unchanged since If-None-Match."),
                },
                errors=(404, 416),
                parameters=(_CONTAINER, id_parameter("variationId", "var"), _ASSET_NAME, *_ASSET_CONDITIONS),
            )
        },
        "/v1/content/{containerId}/progress": {
            "get": keyed(
                "Show how far a container is",
                "getContentProgress",
                "content:read",
                {200: (http.ContentProgress, "Its progress.")},
                errors=(404,),
                parameters=(_CONTAINER,),
            )
        },
        "/v1/projects/{projectId}/content": {
            "get": keyed(
                "List a project's containers, newest first",
                "listProjectContent",
                "content:read",
                {200: (http.ContentPage, "The containers.")},
                errors=(404,),
                parameters=(_PROJECT, *_PAGE),
            )
        },
        "/v1/projects/{projectId}/top-performers": {
            "get": keyed(
                "Rank tracked posts by a metric",
                "listTopPerformers",
                "metrics:read",
                {200: (http.TopPerformerPage, "The organisation's posts and the project's, best first.")},
                errors=(404,),
                parameters=(
                    _PROJECT,
                    query_parameter("metric", metrics, "What to rank by.", required=True),
                    query_parameter("window", windows, "The time that the metric covers."),
                    query_parameter("platform", {"type": "string"}, "Only posts of this platform."),
                    *_PAGE,
                ),
            )
        },
    }


def _account_paths() -> dict[str, Any]:
    balance = {200: (http.Credits, "The organisation's credits.")}
    caller = {200: (http.WhoAmI, "The key's organisation.")}
    return {
        "/v1/credits": {"get": keyed("Show credits", "getCredits", None, balance, errors=(404,))},
        "/v1/whoami": {"get": keyed("Show who asks", "whoAmI", None, caller)},
    }


def _open_paths() -> dict[str, Any]:
    return {
        "/healthz": {"get": unkeyed("Say that the process lives", "health", {200: (http.Health, "Alive.")})},
        "/readyz": {
            "get": unkeyed(
                "Say whether the process can serve",
                "readiness",
                {200: (http.Readiness, "Ready; what it does without for now is named.")},
                errors=(503,),
            )
        },
        "/metrics": {"get": unkeyed("Prometheus metrics", "metrics", {200: ("text/plain", "The metrics.")})},
        "/openapi.json": {"get": unkeyed("This document", "openapi", {200: ("application/json", "OpenAPI 3.1.")})},
        "/asyncapi.json": {
            "get": unkeyed("The topics and their records", "asyncapi", {200: ("application/json", "AsyncAPI 3.")})
        },
        "/docs": {"get": unkeyed("A page for people", "docs", {200: ("text/html", "Every call and every topic.")})},
    }
