"""What every keyed route shares: who asks, within which limits, and the envelope of whatever goes wrong."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import structlog
from starlette.requests import Request
from starlette.responses import Response

from producer.auth import KeyRing, require_scope
from producer.errors import Answer, ApiError, unavailable
from producer.ratelimit import EndpointClass, Headers, Limits
from runtime.errors import Retryable
from runtime.trace import new_traceparent, valid_traceparent
from schemas.errors import ErrorCode
from storage.keys import ApiKey

_log = structlog.get_logger(__name__)


class Caller(NamedTuple):
    """One authenticated request."""

    key: ApiKey
    request_id: str
    traceparent: str


Entry = tuple[Caller, Headers]
"""Who asks, and the rate-limit headers of the answer."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Lets requests in: key, then rate limit, then scope."""

    keys: KeyRing
    limits: Limits

    def enter(
        self, headers: Mapping[str, str], request_id: str, *, scope: str | None, endpoint_class: EndpointClass
    ) -> Entry | None:
        """The entry, or None where it has to be waited for: then `admit` is to be called. Raises ApiError."""
        key = self.keys.authenticate(headers.get("x-api-key"), headers.get("authorization"))
        limit_headers = self.limits.take(key.key_id, key.tier, endpoint_class)
        return None if limit_headers is None else _entry(key, headers, request_id, scope, limit_headers)

    async def admit(
        self, headers: Mapping[str, str], request_id: str, *, scope: str | None, endpoint_class: EndpointClass
    ) -> Entry:
        """The entry, as soon as it is known. Raises ApiError."""
        key = self.keys.authenticate(headers.get("x-api-key"), headers.get("authorization"))
        limit_headers = self.limits.take(key.key_id, key.tier, endpoint_class)
        if limit_headers is None:
            limit_headers = await self.limits.wait(key.key_id, key.tier, endpoint_class)
        return _entry(key, headers, request_id, scope, limit_headers)


def _entry(
    key: ApiKey, headers: Mapping[str, str], request_id: str, scope: str | None, limit_headers: Headers
) -> Entry:
    try:
        require_scope(key, scope)
    except ApiError as error:
        error.headers = (*error.headers, *limit_headers)
        raise
    traceparent = valid_traceparent(headers.get("traceparent")) or new_traceparent()
    return Caller(key, request_id, traceparent), limit_headers


Handler = Callable[[Request, Caller], Awaitable[Answer | Response]]


def keyed(
    gate: Gate, handler: Handler, *, scope: str | None, endpoint_class: EndpointClass
) -> Callable[[Request], Awaitable[Response]]:
    """A Starlette endpoint around a handler: authenticated, limited, and never without its envelope."""

    async def endpoint(request: Request) -> Response:
        request_id: str = request.scope["request_id"]
        limit_headers: Headers = ()
        try:
            caller, limit_headers = await gate.admit(
                request.headers, request_id, scope=scope, endpoint_class=endpoint_class
            )
            answer = await handler(request, caller)
        except Exception as error:  # noqa: BLE001 -- the edge: everything becomes an envelope, defects are logged
            answer = answer_of(error, request_id)
        response = answer if isinstance(answer, Response) else respond(answer)
        present = {name for name, _ in response.raw_headers}
        response.raw_headers.extend(pair for pair in limit_headers if pair[0] not in present)
        return response

    return endpoint


def answer_of(error: Exception, request_id: str) -> Answer:
    """The envelope of whatever went wrong. A defect is logged with the request's id and shows nothing."""
    if isinstance(error, ApiError):
        return error.answer(request_id)
    if isinstance(error, Retryable):
        _log.warning("read_unavailable", request_id=request_id, reason=str(error))
        return unavailable("This cannot be answered now — try again.").answer(request_id)
    _log.error("request_failed", request_id=request_id, exc_info=error)
    return ApiError(ErrorCode.INTERNAL, "Something went wrong on our side.").answer(request_id)


def respond(answer: Answer) -> Response:
    """A Starlette response with exactly the answer's headers."""
    response = Response(answer.body, answer.status)
    response.raw_headers.extend(answer.headers)
    return response
