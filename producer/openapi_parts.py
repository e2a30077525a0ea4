"""The building blocks of the OpenAPI document: operations, answers, parameters. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from producer.ratelimit import EndpointClass
from schemas import http
from schemas.errors import ErrorCode
from schemas.ids import Prefix

Body = type[BaseModel] | str | tuple[str, ...] | None
Answers = Mapping[int, tuple[Body, str]]
"""By status: the model, a media type, the media types of files (none for a file that is not sent), or None without a
body; and what the answer means."""

_ULID: Final = "01HXZ9G7KMV2QX8Y1S5RJW3B7T"
_REQUEST_ID: Final = f"req_{_ULID}"

_CONFLICTS: Final = (ErrorCode.CONFLICT, ErrorCode.IDEMPOTENCY_CONFLICT, ErrorCode.DEADLINE_EXCEEDED)
_ERRORS: Final[Mapping[int, tuple[str, tuple[ErrorCode, ...]]]] = {
    400: ("Malformed JSON, or bytes that are no UTF-8.", (ErrorCode.VALIDATION_FAILED,)),
    401: ("No key, or one that is not valid.", (ErrorCode.UNAUTHENTICATED,)),
    402: ("Available credits do not cover the variations.", (ErrorCode.BILLING_EXHAUSTED,)),
    403: ("The key lacks the scope.", (ErrorCode.FORBIDDEN_SCOPE,)),
    404: ("Not found in this organisation.", (ErrorCode.NOT_FOUND,)),
    409: (
        "The request contradicts what there is: layer ambiguity, a container id or an Idempotency-Key used for another "
        "request, a deadline that has passed, a stage that refuses.",
        _CONFLICTS,
    ),
    413: ("The body is larger than 128 KB.", (ErrorCode.VALIDATION_FAILED,)),
    415: ("The body is not sent as JSON.", (ErrorCode.VALIDATION_FAILED,)),
    416: ("The range begins behind the end of the file.", (ErrorCode.VALIDATION_FAILED,)),
    422: ("A field is not valid; `details.fields` names each.", (ErrorCode.VALIDATION_FAILED,)),
    429: (
        "Too many requests in a minute, too many running jobs, or too many open event streams.",
        (ErrorCode.RATE_LIMITED,),
    ),
    500: ("A defect on our side.", (ErrorCode.INTERNAL,)),
    503: ("The outcome is unknown, or this cannot be answered now; repeating is safe.", (ErrorCode.UNAVAILABLE,)),
}
# What any keyed route may answer.
_KEYED: Final = (401, 403, 422, 429, 500, 503)

# Messages and details as they are; the first and the fourth are the seed's own.
_EXAMPLES: Final[Mapping[int, tuple[str, Mapping[str, Any] | None]]] = {
    404: ("Source post not found.", None),
    402: ("Credits insufficient.", None),
    403: ("The API key lacks the scope content:write.", {"scope": "content:write"}),
    409: ("Multiple content layers — pass projectLayerId to disambiguate.", {"layerCount": 2}),
    422: (
        "The request is not valid — see details.fields.",
        {"fields": [{"field": "variations", "message": "must be an integer from 1 to 10"}]},
    ),
}


def keyed(
    summary: str,
    operation_id: str,
    scope: str | None,
    answers: Answers,
    *,
    errors: tuple[int, ...] = (),
    parameters: tuple[dict[str, Any], ...] = (),
    endpoint_class: EndpointClass = "read-light",
    conflicts: tuple[ErrorCode, ...] = _CONFLICTS,
) -> dict[str, Any]:
    """An operation that needs a key. `conflicts` are the codes of its 409, if it has one."""
    responses = {str(status): _answer(status, body, text, limited=True) for status, (body, text) in answers.items()}
    for status in sorted({*errors, *_KEYED}):
        codes = conflicts if status == 409 else _ERRORS[status][1]
        responses[str(status)] = error(status, codes, limited=status != 401)
    needs = "Any valid key." if scope is None else f"Needs the scope `{scope}`."
    return {
        "summary": summary,
        "operationId": operation_id,
        "description": f"{needs} Rate-limit class `{endpoint_class}`.",
        "parameters": list(parameters),
        "responses": responses,
    }


def unkeyed(summary: str, operation_id: str, answers: Answers, *, errors: tuple[int, ...] = ()) -> dict[str, Any]:
    """An operation that needs no key."""
    responses = {str(status): _answer(status, body, text, limited=False) for status, (body, text) in answers.items()}
    responses |= {str(status): error(status, _ERRORS[status][1], limited=False) for status in errors}
    return {"summary": summary, "operationId": operation_id, "security": [], "responses": responses}


def error(status: int, codes: tuple[ErrorCode, ...], *, limited: bool) -> dict[str, Any]:
    """An error answer: the envelope with one of these codes, an example."""
    text, _ = _ERRORS[status]
    answer = _answer(status, http.ErrorEnvelope, f"{text} Code {' or '.join(f'`{code}`' for code in codes)}.", limited)
    content = answer["content"]["application/json"]
    narrowed = {"properties": {"error": {"properties": {"code": {"enum": [code.value for code in codes]}}}}}
    content["schema"] = {"allOf": [content["schema"], narrowed]}
    if status in _EXAMPLES:
        message, details = _EXAMPLES[status]
        body: dict[str, Any] = {"code": codes[0].value, "message": message, "requestId": _REQUEST_ID}
        if details is not None:
            body["details"] = dict(details)
        content["example"] = {"error": body}
    return answer


def json_of(model: type[BaseModel]) -> dict[str, Any]:
    """Content of a model, by reference."""
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}


def id_parameter(name: str, prefix: Prefix) -> dict[str, Any]:
    """An id in the path, in any of its forms and in either case."""
    forms = f"the bare UUID, `{prefix}_` and 26 Crockford base32 characters, or `{prefix}_` and the UUID"
    start = "".join(f"[{letter}{letter.upper()}]" for letter in prefix) + "_"
    digits, ulid = "[0-9a-fA-F]", "[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}"
    plain = f"{digits}{{8}}-{digits}{{4}}-{digits}{{4}}-{digits}{{4}}-{digits}{{12}}"
    schema = {"type": "string", "pattern": f"^(({start})?{plain}|{start}{ulid})$", "examples": [f"{prefix}_{_ULID}"]}
    return {"name": name, "in": "path", "required": True, "description": f"Any of {forms}.", "schema": schema}


def query_parameter(name: str, schema: dict[str, Any], description: str, *, required: bool = False) -> dict[str, Any]:
    """A parameter in the query."""
    return {"name": name, "in": "query", "required": required, "description": description, "schema": schema}


def header_parameter(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    """A header that the caller may send."""
    return {"name": name, "in": "header", "description": description, "schema": schema}


def response_headers() -> dict[str, Any]:
    """The headers of answers, for `components`."""
    text, number = {"type": "string"}, {"type": "integer", "minimum": 0}
    return {
        "X-Request-Id": {"schema": text, "description": "Names this request here, in every log line and in Kafka."},
        "X-RateLimit-Limit": {"schema": number, "description": "Requests a minute of this key in this class."},
        "X-RateLimit-Remaining": {"schema": number, "description": "What is left of them now."},
        "X-RateLimit-Reset": {"schema": number, "description": "Seconds until all of them are there again."},
        "X-RateLimit-Endpoint-Class": {"schema": {"enum": ["read-light", "write-light", "long-running"]}},
        "Retry-After": {"schema": number, "description": "Seconds after which to ask again."},
        "Location": {"schema": text, "description": "Where the job is."},
        "Idempotent-Replayed": {"schema": {"const": "true"}, "description": "There where the request was made before."},
        "ETag": {"schema": text, "description": "The version of the job or of the file."},
        "Accept-Ranges": {"schema": {"const": "bytes"}},
        "Cache-Control": {"schema": text},
        "Content-Disposition": {"schema": text, "description": "The file's name."},
        "Content-Range": {"schema": text, "description": "Which bytes of how many."},
        "X-Content-Type-Options": {"schema": {"const": "nosniff"}},
        "WWW-Authenticate": {"schema": text},
    }


_LIMIT_HEADERS: Final = (
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-RateLimit-Endpoint-Class",
)
_FILE_HEADERS: Final = ("Accept-Ranges", "Cache-Control", "Content-Disposition", "X-Content-Type-Options")
_STATUS_HEADERS: Final = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}


def _answer(status: int, body: Body, text: str, limited: bool) -> dict[str, Any]:
    names = ["X-Request-Id", *(_LIMIT_HEADERS if limited else ()), *_STATUS_HEADERS.get(status, ())]
    if body is http.Accepted:
        names += ["Location", "Idempotent-Replayed"]
    if body is http.Job or status == 304 or isinstance(body, tuple):
        names.append("ETag")
    if isinstance(body, tuple):
        names += _FILE_HEADERS
    if status in (206, 416):
        names.append("Content-Range")
    answer: dict[str, Any] = {
        "description": text,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
    }
    if isinstance(body, str):
        answer["content"] = {body: {"schema": {"type": "object" if body == "application/json" else "string"}}}
    elif isinstance(body, tuple) and body:
        answer["content"] = {media_type: {"schema": {"type": "string"}} for media_type in body}
    elif body is not None and not isinstance(body, tuple):
        answer["content"] = json_of(body)
    return answer
