"""A provider on a real socket that does what a test says, and remembers what it was sent."""

import json
import struct
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SO_LINGER, SOL_SOCKET
from typing import Any, Final

from consumers.generation.composed import ComposedGenerator
from consumers.generation.generators import Order
from consumers.generation.writing.embedded import EmbeddedRealiser
from tests.generation.orders import make

NO_TOPICS: Final[dict[str, Any]] = {"keywords": [], "themes": []}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came over the wire."""

    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def kind(self) -> str:
        """`topics` for the call that reads a source, `creative` for one that writes."""
        return str(self.body["response_format"]["json_schema"]["name"])

    @property
    def variation_id(self) -> uuid.UUID:
        return uuid.UUID(self.headers["idempotency-key"][:36])

    @property
    def text(self) -> str:
        """All that the model would read."""
        return "\n".join(message["content"] for message in self.body["messages"])


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back. `cut` sends so many bytes of the body and then closes; `drip` sends a byte at a time."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    reset: bool = False
    hang: bool = False
    drip: bool = False


Script = Callable[[Asked], Reply]


def completion(content: str | None, *, finish: str = "stop", **changes: Any) -> Reply:
    """A chat completion with this text."""
    message = {"role": "assistant", "content": content}
    answer: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "served-model",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 700, "completion_tokens": 300, "total_tokens": 1000},
    }
    return Reply(body=json.dumps(answer | changes).encode(), headers={"Content-Type": "application/json"})


def good_words(order: Order) -> dict[str, Any]:
    """Words for that order which pass the gate."""
    made = make(ComposedGenerator(EmbeddedRealiser(), waits=False, lease_ahead=1), order).creative
    shots = [shot["description"] for shot in made["shots"]]
    return {key: made[key] for key in ("hook", "caption", "cta")} | {"script": made["voiceOverScript"], "shots": shots}


class ScriptedProvider:
    """Answers every call by `script`; a test may put another in its place."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[Asked] = []
        self.open_now = 0
        self.most_open = 0
        self.released = threading.Event()
        self._lock = threading.Lock()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                provider._serve(self)

            def log_message(self, *_: Any) -> None:
                """Nothing: tests look at what the product logs."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                """A client that went away is what several tests are about."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def creatives(self) -> list[Asked]:
        """The calls that asked for words."""
        return [asked for asked in self.asked if asked.kind == "creative"]

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        asked = Asked({name.lower(): value for name, value in handler.headers.items()}, body)
        with self._lock:
            self.asked.append(asked)
            self.open_now += 1
            self.most_open = max(self.most_open, self.open_now)
        try:
            reply = self.script(asked)
        finally:
            with self._lock:
                self.open_now -= 1
        self._send(handler, reply)

    def _send(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        handler.close_connection = True
        if reply.hang:
            self.released.wait(60)
            return
        if reply.reset:
            handler.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
            handler.connection.close()
            return
        handler.send_response(reply.status)
        for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        if reply.drip:
            for position in range(len(reply.body)):
                handler.wfile.write(reply.body[position : position + 1])
                if self.released.wait(0.05):
                    return
        handler.wfile.write(reply.body if reply.cut is None else reply.body[: reply.cut])


@contextmanager
def scripted_provider(script: Script) -> Iterator[ScriptedProvider]:
    """A provider for the length of a test."""
    provider = ScriptedProvider(script)
    try:
        yield provider
    finally:
        provider.close()


def replies(creative: Callable[[Asked], Reply], topics: dict[str, Any] | None = None) -> Script:
    """Answers the reading with these topics, and the rest with what the function says."""
    read = completion(json.dumps(NO_TOPICS if topics is None else topics))
    return lambda asked: read if asked.kind == "topics" else creative(asked)


def in_turn(*answers: Reply) -> Callable[[Asked], Reply]:
    """One after the other; the last one again and again."""
    left = list(answers)
    return lambda asked: left.pop(0) if len(left) > 1 else left[0]
