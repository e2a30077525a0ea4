"""What is served from the first moment: liveness, and what the process still waits for; then the application."""

from typing import Final

from producer.app import Application, BeginClone, Receive, Scope, Send
from producer.errors import json_answer
from producer.pages import not_ready
from schemas.ids import format_id, new_request_id

_HEALTH: Final = "/healthz"


class Starting:
    """Answers while the process has not reached its dependencies; once `application` is set, that answers."""

    def __init__(self, waiting_for: str) -> None:
        self._waiting_for = waiting_for
        self.application: Application | None = None

    @property
    def begin_clone(self) -> BeginClone | None:
        """What serves the hot route without ASGI, once there is something."""
        return None if self.application is None else self.application.begin_clone

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request, as ASGI has it."""
        if self.application is not None:
            await self.application(scope, receive, send)
            return
        request_id = format_id("req", new_request_id())
        if scope["path"] == _HEALTH and scope["method"] in ("GET", "HEAD"):
            answer = json_answer(200, {"status": "ok"})
        else:
            answer = not_ready({self._waiting_for: f"{self._waiting_for} has not answered yet"}).answer(request_id)
        headers = [
            *answer.headers,
            (b"content-length", b"%d" % len(answer.body)),
            (b"x-request-id", request_id.encode()),
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})
