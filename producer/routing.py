"""What every keyed route shares: who asks, within which limits, and the envelope of whatever goes wrong."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import structlog
from starlette.requests import Request
from starlette.responses import Response

from producer.auth import KeyRing, require_scope
from producer.errors import Answer, ApiError, unavailable
from producer.ratelimit import EndpointClass, RateLimiter
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


@dataclass(frozen=True, slots=True)
class Gate:
    """Lets requests in: key, then scope, then rate limit."""

    keys: KeyRing
    limits: RateLimiter

    def enter(
        self,
        headers: Mapping[str, str],
        request_id: str,
        *,
        scope: str | None,
        endpoint_class: EndpointClass,
    ) -> tuple[Caller, tuple[tuple[bytes, bytes], ...]]:
        """The caller and the rate-limit headers of the answer. Raises ApiError."""
        key = self.keys.authenticate(headers.get("x-api-key"), headers.get("authorization"))
        limit_headers = self.limits.take(key.key_id, key.tier, endpoint_class)
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
        limit_headers: tuple[tuple[bytes, bytes], ...] = ()
        try:
            caller, limit_headers = gate.enter(request.headers, request_id, scope=scope, endpoint_class=endpoint_class)
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
