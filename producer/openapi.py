"""OpenAPI 3.1 from the models of `schemas.http`: every route, every status that it can answer."""

from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from schemas import http
from schemas.request_rules import MAX_IDEMPOTENCY_KEY_CHARACTERS

VERSION: Final = "1.0.0"

_ERRORS: Final = {
    400: "Malformed JSON, or bytes that are no UTF-8.",
    401: "No key, or one that is not valid.",
    402: "Credits do not cover the variations.",
    403: "The key lacks the scope.",
    404: "Not found in this organisation.",
    405: "The path does not take this method.",
    409: "Layer ambiguity, container id already used, Idempotency-Key conflict, deadline passed, stage refuses.",
    413: "The body is larger than 128 KB.",
    415: "The body is not sent as JSON.",
    422: "A field is not valid; details.fields names each.",
    429: "Too many requests, or too many running jobs.",
    500: "A defect on our side.",
    503: "The outcome is unknown, or this cannot be answered now; repeating is safe.",
}
_KEYED: Final = (401, 403, 422, 429, 500, 503)
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


def document() -> dict[str, Any]:
    """The OpenAPI document."""
    _, definitions = models_json_schema(
        [(model, "validation") for model in _MODELS], ref_template="#/components/schemas/{model}"
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "clonepost",
            "version": VERSION,
            "description": "Takes a platform post that is tracked and makes a new generated container inspired by it.",
        },
        "paths": _paths(),
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
        "security": [{"apiKey": []}, {"bearer": []}],
    }


def _paths() -> dict[str, Any]:
    page = [_query("cursor", {"type": "string"}), _query("limit", {"type": "integer", "minimum": 1, "maximum": 200})]
    wait = {"name": "Prefer", "in": "header", "schema": {"type": "string"}, "example": "wait=10"}
    none_match = {"name": "If-None-Match", "in": "header", "schema": {"type": "string"}}
    return {
        "/v1/content/{containerId}/clone-from-post": {
            "post": {
                **_operation(
                    "Clone a tracked post into a new container",
                    "content:write",
                    {202: (http.Accepted, "Accepted. Idempotent-Replayed: true where it was before.")},
                    (400, 402, 404, 409, 413, 415),
                    [
                        _path("containerId"),
                        {
                            "name": "Idempotency-Key",
                            "in": "header",
                            "schema": {
                                "type": "string",
                                "minLength": 1,
                                "maxLength": MAX_IDEMPOTENCY_KEY_CHARACTERS,
                                "pattern": "^[ -~]+$",
                            },
                        },
                    ],
                ),
                "requestBody": {"required": True, "content": _json(http.CloneFromPostBody)},
            }
        },
        "/v1/jobs": {
            "get": _operation(
                "List jobs, newest first",
                "jobs:read",
                {200: (http.JobPage, "Accepted jobs.")},
                (),
                [
                    _query("status", {"enum": ["running", "completed", "failed", "canceled"]}),
                    _query("kind", {"enum": ["content_clone_from_post"]}),
                    _query("projectId", {"type": "string"}),
                    *page,
                ],
            )
        },
        "/v1/jobs/{jobId}": {
            "get": _operation(
                "Show a job",
                "jobs:read",
                {200: (http.Job, "The envelope."), 304: (None, "Unchanged since If-None-Match.")},
                (404,),
                [_path("jobId"), wait, none_match],
            )
        },
        "/v1/jobs/{jobId}/events": {
            "get": _operation(
                "Follow a job: server-sent events, one a version",
                "jobs:read",
                {200: ("text/event-stream", "Events `progress`, then `completed`, `failed` or `canceled`.")},
                (404,),
                [_path("jobId"), {"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"}}],
            )
        },
        "/v1/jobs/{jobId}/cancel": {
            "post": _operation(
                "Cancel a job",
                "jobs:cancel",
                {202: (http.CancelAnswer, "Requested."), 200: (http.CancelAnswer, "The job had ended.")},
                (404, 409),
                [_path("jobId")],
            )
        },
        "/v1/content/{containerId}": {
            "get": _operation(
                "Show a container with all its variations",
                "content:read",
                {200: (http.Content, "The container.")},
                (404,),
                [_path("containerId")],
            )
        },
        "/v1/content/{containerId}/progress": {
            "get": _operation(
                "Show how far a container is",
                "content:read",
                {200: (http.ContentProgress, "Its progress.")},
                (404,),
                [_path("containerId")],
            )
        },
        "/v1/projects/{projectId}/content": {
            "get": _operation(
                "List a project's containers, newest first",
                "content:read",
                {200: (http.ContentPage, "The containers.")},
                (404,),
                [_path("projectId"), *page],
            )
        },
        "/v1/projects/{projectId}/top-performers": {
            "get": _operation(
                "Rank tracked posts by a metric",
                "metrics:read",
                {200: (http.TopPerformerPage, "The posts, best first.")},
                (404,),
                [
                    _path("projectId"),
                    _query(
                        "metric",
                        {"enum": ["views", "engagement_rate", "conversions", "roas", "watch_time_ms"]},
                        required=True,
                    ),
                    _query("window", {"enum": ["7d", "30d", "90d"]}),
                    _query("platform", {"type": "string"}),
                    *page,
                ],
            )
        },
        "/v1/credits": {
            "get": _operation("Show credits", None, {200: (http.Credits, "The organisation's credits.")}, (404,), [])
        },
        "/v1/whoami": {
            "get": _operation("Show who asks", None, {200: (http.WhoAmI, "The key's organisation.")}, (), [])
        },
        "/healthz": {"get": _open("Say that the process lives", {200: (http.Health, "Alive.")})},
        "/readyz": {
            "get": _open(
                "Say whether the process can serve",
                {200: (http.Readiness, "Ready."), 503: (http.Readiness, "Something is missing; it is named.")},
            )
        },
        "/metrics": {"get": _open("Prometheus metrics", {200: ("text/plain", "The metrics.")})},
    }


def _operation(
    summary: str,
    scope: str | None,
    answers: dict[int, tuple[Any, str]],
    errors: tuple[int, ...],
    parameters: list[dict[str, Any]],
) -> dict[str, Any]:
    responses = {str(status): _response(body, text) for status, (body, text) in answers.items()}
    for status in sorted({*errors, *_KEYED}):
        responses[str(status)] = _response(http.ErrorEnvelope, _ERRORS[status])
    described = "Any valid key." if scope is None else f"Needs the scope `{scope}`."
    return {"summary": summary, "description": described, "parameters": parameters, "responses": responses}


def _open(summary: str, answers: dict[int, tuple[Any, str]]) -> dict[str, Any]:
    responses = {str(status): _response(body, text) for status, (body, text) in answers.items()}
    return {"summary": summary, "security": [], "responses": responses}


def _response(body: type[BaseModel] | str | None, description: str) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": description,
        "headers": {"X-Request-Id": {"schema": {"type": "string"}}},
    }
    if isinstance(body, str):
        response["content"] = {body: {"schema": {"type": "string"}}}
    elif body is not None:
        response["content"] = _json(body)
    return response


def _json(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}


def _path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _query(name: str, schema: dict[str, Any], *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "schema": schema}
