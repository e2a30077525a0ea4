"""The ASGI application: the hot route by hand, the rest through Starlette, one envelope and request id for all."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import partial
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from producer.errors import Answer, ApiError, malformed
from producer.ingest.body import check_json_head, read_json_body
from producer.ingest.cancel import CancelRoute
from producer.ingest.clone import CloneRoute
from producer.ratelimit import Headers
from producer.read.parameters import path_id
from producer.routing import Caller, Entry, Gate, answer_of, keyed, respond
from runtime import metrics
from schemas.errors import ErrorCode
from schemas.ids import new_request_name

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Respond = Callable[[Answer], None]
_Answering = Callable[[Headers, Answer | Exception], None]
BeginClone = Callable[[str, Mapping[bytes, bytes], bytes, Respond], None]

_CONTENT: Final = "/v1/content/"
_CLONE: Final = "/clone-from-post"
# Only these are read of a clone request; others are not even decoded.
_CLONE_HEADERS: Final = tuple(
    (name.encode(), name)
    for name in ("x-api-key", "authorization", "content-type", "content-length", "idempotency-key", "traceparent")
)


class Application:
    """Serves HTTP. Everything it needs is made by the composition root before the first request."""

    def __init__(
        self, gate: Gate, clone: CloneRoute, cancel: CancelRoute, routes: list[Route], open_routes: list[Route]
    ) -> None:
        self._gate = gate
        self._beginning: set[asyncio.Task[None]] = set()
        self._clone = clone
        self._cancel = cancel
        cancel_route = Route(
            "/v1/jobs/{jobId}/cancel",
            keyed(gate, self._cancel_job, scope="jobs:cancel", endpoint_class="write-light"),
            methods=["POST"],
        )
        # The hot route is listed too, so that a wrong method on it is 405 with the right Allow.
        shown = Route("/v1/content/{containerId}/clone-from-post", self._never, methods=["POST"])
        self._starlette = Starlette(
            routes=[*routes, cancel_route, shown, *open_routes],
            exception_handlers={HTTPException: _http_error, Exception: _defect},
        )
        self._starlette.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request, as ASGI has it. The server neither sends lifespan events nor takes web sockets."""
        request_id = new_request_name()
        path: str = scope["path"]
        if scope["method"] == "POST" and path.endswith(_CLONE) and path.startswith(_CONTENT):
            container = path[len(_CONTENT) : -len(_CLONE)]
            if container and "/" not in container:
                await self._serve_clone(scope, receive, send, container, request_id)
                return
        scope["request_id"] = request_id
        await self._starlette(scope, receive, _with_request_id(send, request_id, scope))

    def begin_clone(self, container: str, sent: Mapping[bytes, bytes], body: bytes, respond: Respond) -> None:
        """Serve a clone request that is there as a whole, without ASGI: the same rules, in the same order.

        Never raises. `respond` is called once, on the loop, now or later, with an answer that is complete.
        """
        started = time.perf_counter()
        request_id = new_request_name()
        headers = {name: sent[raw].decode("latin-1") for raw, name in _CLONE_HEADERS if raw in sent}
        answer = partial(_answer, request_id, started, respond)
        try:
            entry = self._gate.enter(headers, request_id, scope="content:write", endpoint_class="long-running")
        except Exception as error:  # noqa: BLE001 -- the edge: everything becomes an envelope, defects are logged
            answer((), error)
            return
        if entry is not None:
            self._begin_admitted(entry, container, headers, body, answer)
        else:
            task = asyncio.ensure_future(self._begin_later(request_id, container, headers, body, answer))
            self._beginning.add(task)
            task.add_done_callback(self._beginning.discard)

    async def _begin_later(
        self, request_id: str, container: str, headers: dict[str, str], body: bytes, answer: _Answering
    ) -> None:
        try:
            entry = await self._gate.admit(headers, request_id, scope="content:write", endpoint_class="long-running")
        except Exception as error:  # noqa: BLE001 -- the edge: everything becomes an envelope, defects are logged
            answer((), error)
        else:
            self._begin_admitted(entry, container, headers, body, answer)

    def _begin_admitted(
        self, entry: Entry, container: str, headers: dict[str, str], body: bytes, answer: _Answering
    ) -> None:
        caller, limit_headers = entry
        answered = partial(answer, limit_headers)
        try:
            check_json_head(headers.get("content-type", ""), headers.get("content-length", ""))
            self._clone.begin(
                caller.key,
                container,
                body,
                request_id=caller.request_id,
                idempotency_key=headers.get("idempotency-key"),
                traceparent=caller.traceparent,
                answered=answered,
            )
        except Exception as error:  # noqa: BLE001 -- the edge: everything becomes an envelope, defects are logged
            answered(error)

    async def _serve_clone(self, scope: Scope, receive: Receive, send: Send, container: str, request_id: str) -> None:
        started = time.perf_counter()
        limit_headers: Headers = ()
        try:
            sent: dict[bytes, bytes] = dict(scope["headers"])
            headers = {name: sent[raw].decode("latin-1") for raw, name in _CLONE_HEADERS if raw in sent}
            caller, limit_headers = await self._gate.admit(
                headers, request_id, scope="content:write", endpoint_class="long-running"
            )
            answer = await self._clone.post(
                caller.key,
                container,
                await read_json_body(headers.get("content-type", ""), headers.get("content-length", ""), receive),
                request_id=request_id,
                idempotency_key=headers.get("idempotency-key"),
                traceparent=caller.traceparent,
            )
        except Exception as error:  # noqa: BLE001 -- the edge: everything becomes an envelope, defects are logged
            answer = answer_of(error, request_id)
        headers_sent = _complete(answer, limit_headers, request_id).headers
        await send({"type": "http.response.start", "status": answer.status, "headers": headers_sent})
        await send({"type": "http.response.body", "body": answer.body})
        metrics.observe_http("clone-from-post", answer.status, time.perf_counter() - started)

    async def _cancel_job(self, request: Request, caller: Caller) -> Answer:
        job_id = path_id("job", "jobId", request.path_params["jobId"])
        return await self._cancel.post(caller.key, job_id, request_id=caller.request_id, traceparent=caller.traceparent)

    async def _never(self, _request: Request) -> Response:
        raise AssertionError("the clone route is served before Starlette sees it")


def _answer(
    request_id: str, started: float, respond: Respond, limit_headers: Headers, found: Answer | Exception
) -> None:
    answer = found if isinstance(found, Answer) else answer_of(found, request_id)
    respond(_complete(answer, limit_headers, request_id))
    metrics.observe_http("clone-from-post", answer.status, time.perf_counter() - started)


def _complete(answer: Answer, limit_headers: Headers, request_id: str) -> Answer:
    headers = (
        *answer.headers,
        *limit_headers,
        (b"content-length", b"%d" % len(answer.body)),
        (b"x-request-id", request_id.encode()),
    )
    return Answer(answer.status, answer.body, headers)


def _with_request_id(send: Send, request_id: str, scope: Scope) -> Send:
    started = time.perf_counter()

    async def wrapped(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            route = getattr(scope.get("route"), "path", "unknown")
            metrics.observe_http(route, message["status"], time.perf_counter() - started)
        await send(message)

    return wrapped


async def _http_error(request: Request, error: Exception) -> Response:
    request_id: str = request.scope["request_id"]
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 405:
        given = (getattr(error, "headers", None) or {}).get("Allow", "")
        allow = ", ".join(sorted(given.split(", ")))
        return respond(
            ApiError(
                ErrorCode.METHOD_NOT_ALLOWED, f"This path takes {allow}.", headers=((b"allow", allow.encode()),)
            ).answer(request_id)
        )
    if status == 404:
        return respond(ApiError(ErrorCode.NOT_FOUND, "No such route.").answer(request_id))
    return respond(malformed("The request is malformed.", status=400).answer(request_id))


async def _defect(request: Request, error: Exception) -> Response:
    return respond(answer_of(error, request.scope["request_id"]))
