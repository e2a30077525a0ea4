"""Below the application: the hot route without ASGI, the envelope for what never reaches a route, answers in one piece.

A clone request whose message has come as a whole, with nothing unusual about it, is handed to the application as it
is, and its answer goes straight to the transport. Everything else takes uvicorn's way through ASGI: pipelined messages,
chunked bodies, bodies that come in parts, `Expect`, HTTP/1.0, other routes. Both ways lead to the same `CloneRoute`.
"""

import asyncio
import re
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from producer.app import BeginClone
from producer.errors import Answer, malformed
from schemas.ids import new_request_name

MAX_HEAD_BYTES: Final = 64 * 1024
LINGER_SECONDS: Final = 1.0
"""How long a connection without a request is kept while the process stops."""

# Nothing in it to decode, to split off or to resolve: such targets are left to uvicorn.
_CLONE: Final = re.compile(rb"/v1/content/([0-9A-Za-z_-]+)/clone-from-post")


class HeadTooLarge(ValueError):
    """The request line and the headers are longer than any client's of ours; nothing more of them is kept."""


class _Gathering:
    """A transport that sends at once what one turn of the event loop writes.

    uvicorn writes the head and the body of an answer one after the other, and each would be a system call.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._held:
            self._loop.call_soon(self._send)
        self._held.append(data)

    def write_now(self, data: bytes) -> None:
        if self._held:
            self._send()
        self._transport.write(data)

    def close(self) -> None:
        self._send()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _send(self) -> None:
        if self._held:
            held, self._held = self._held, []
            # The client may have gone since; a closed transport takes nothing any more.
            if not self._transport.is_closing():
                self._transport.write(b"".join(held))


class _Direct:
    """A request that is served without ASGI, with all that uvicorn's protocol asks of a cycle: it queues later messages
    of the connection while `response_complete` is false, and has the connection closed by `keep_alive` when it stops.
    """

    __slots__ = (
        "_protocol",
        "begin",
        "body",
        "container",
        "disconnected",
        "headers",
        "keep_alive",
        "response_complete",
    )

    # uvicorn sets it when the client goes; nobody waits for it here.
    message_event: Final = asyncio.Event()

    def __init__(
        self, protocol: "EnvelopedHttp", begin: BeginClone, container: bytes, headers: dict[bytes, bytes]
    ) -> None:
        self._protocol = protocol
        self.begin = begin
        self.container = container
        self.headers = headers
        self.keep_alive: bool = protocol.parser.should_keep_alive() and not protocol.leaving
        self.body = b""
        self.disconnected = False
        self.response_complete = False

    def respond(self, answer: Answer) -> None:
        """Send the answer, unless the client has gone, and let the connection go on."""
        protocol = self._protocol
        transport = protocol.transport
        if self.disconnected or transport.is_closing():
            return
        parts = [STATUS_LINE[answer.status]]
        for name, value in (*protocol.server_state.default_headers, *answer.headers):
            parts += (name, b": ", value, b"\r\n")
        parts += (b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n", answer.body)
        self.response_complete = True
        cast("_Gathering", transport).write_now(b"".join(parts))
        if not self.keep_alive:
            transport.close()
        protocol.on_direct_complete()


class EnvelopedHttp(HttpToolsProtocol):
    """uvicorn's protocol, with the hot route served at once, and with what a server that strangers reach needs besides.

    That is the error envelope for what the parser refuses, and a bound on the head of a request.
    """

    leaving = False
    """The process stops: the next answer is the last of this connection."""
    # The read in hand: its size, and whether a message begins or a part of a body comes in it.
    _read_bytes = 0
    _begins = False
    _body_comes = False
    _in_head = False
    # Whole reads of a message that were neither: they are in the parser, which tells of a header when it is complete.
    _held_bytes = 0
    # The request that may be served without ASGI, while its message is not complete.
    _direct: _Direct | None = None
    # Since when the connection waits for its next message. One timer looks at that again and again, where uvicorn makes
    # one for each message and cancels it.
    _idle_since: float | None = None
    _idle_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """A client has connected."""
        super().connection_made(cast("asyncio.Transport", _Gathering(transport, self.loop)))

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        super().connection_lost(exc)
        if self._idle_timer is not None:
            self._idle_timer.cancel()

    def data_received(self, data: bytes) -> None:
        """A part of a message has come, or several messages."""
        self._read_bytes = len(data)
        self._begins = self._body_comes = False
        super().data_received(data)
        if self._direct is not None:
            # The rest of the message may take its time, and what its head deserves is due before that.
            self._leave_to_asgi(self._direct)
        elif not self._begins and not self._body_comes:
            self._hold(len(data))

    def on_message_begin(self) -> None:
        """A request begins."""
        # uvicorn's scope is made when it is known to be needed.
        self._begins = self._in_head = True
        self._held_bytes = 0
        self._idle_since = None
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_url(self, url: bytes) -> None:
        """A part of the request's target has come."""
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header has come."""
        # Those behind a body are nobody's; kept, they would have no bound.
        if self._in_head:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head of a request is complete. Raises HeadTooLarge."""
        self._in_head = False
        # The head of a message that begins in a small read is small.
        if (not self._begins or self._read_bytes > MAX_HEAD_BYTES) and self._head_bytes() > MAX_HEAD_BYTES:
            raise HeadTooLarge
        if self.cycle is not None and self.transport.is_closing():
            # What came behind a message that was the last one of its connection.
            return
        found = _CLONE.fullmatch(self.url)
        begin: BeginClone | None = None if found is None else getattr(self.app, "begin_clone", None)
        headers = dict(self.headers)
        if b"expect" in headers:
            expected = [value.lower() for name, value in self.headers if name == b"expect"]
            self.expect_100_continue = b"100-continue" in expected
        if found is not None and begin is not None and self._is_plain(headers):
            self._direct = _Direct(self, begin, found[1], headers)
            self.cycle = cast("Any", self._direct)
        else:
            self._start_scope()
            self._start_cycle()

    def on_body(self, body: bytes) -> None:
        """A part of the body has come."""
        self._body_comes = True
        if self._direct is None:
            super().on_body(body)
        else:
            self._direct.body += body

    def on_message_complete(self) -> None:
        """A message is complete."""
        if self._direct is None:
            super().on_message_complete()
        else:
            direct, self._direct = self._direct, None
            direct.begin(direct.container.decode("ascii"), direct.headers, direct.body, direct.respond)

    def on_direct_complete(self) -> None:
        """A request that was served without ASGI has its answer."""
        if self.pipeline or self.transport.is_closing():
            self.on_response_complete()
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._idle_since = self.loop.time()
        if self._idle_timer is None:
            self._idle_timer = self.loop.call_later(self.timeout_keep_alive, self._look_after_idle)

    def shutdown(self) -> None:
        """The process stops: the answer in hand is the last one.

        An idle connection waits a moment for one more request and its answer. A request may be under way on it, or be
        sent in this very moment, and closing would make it fail.
        """
        if self.cycle is None or self.cycle.response_complete:
            self.leaving = True
            self.loop.call_later(LINGER_SECONDS, self._leave)
        else:
            super().shutdown()

    def _leave(self) -> None:
        if (self.cycle is None or self.cycle.response_complete) and not self.transport.is_closing():
            self.transport.close()

    def _look_after_idle(self) -> None:
        self._idle_timer = None
        if self._idle_since is None:
            # A message is in hand; its answer begins the wait anew.
            return
        left_seconds = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left_seconds > 0:
            self._idle_timer = self.loop.call_later(left_seconds, self._look_after_idle)
        else:
            self.timeout_keep_alive_handler()

    def _is_plain(self, headers: dict[bytes, bytes]) -> bool:
        parser = self.parser
        return (
            parser.get_method() == b"POST"
            and b"content-length" in headers
            and parser.get_http_version() == "1.1"
            and not parser.should_upgrade()
            and not self.expect_100_continue
            and not self.flow.write_paused
            and (self.cycle is None or self.cycle.response_complete)
        )

    def _leave_to_asgi(self, direct: _Direct) -> None:
        self._direct = None
        self.cycle = None  # type: ignore[assignment]  # as before a connection's first request
        self._start_scope()
        self._start_cycle()
        if direct.body:
            super().on_body(direct.body)

    def _start_cycle(self) -> None:
        super().on_headers_complete()
        if self.leaving:
            self.cycle.keep_alive = False

    def _hold(self, read_bytes: int) -> None:
        self._held_bytes += read_bytes
        if self._held_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("")

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _start_scope(self) -> None:
        url, headers, expect_100_continue = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expect_100_continue
        self.headers.extend(headers)

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser refused, and hang up: what follows cannot be told apart from it."""
        self._direct = None
        request_id = new_request_name()
        answer = malformed("The request is not valid HTTP, or its headers are too large.", status=400).answer(
            request_id
        )
        lines = [
            b"HTTP/1.1 400 Bad Request",
            *(name + b": " + value for name, value in answer.headers),
            b"content-length: %d" % len(answer.body),
            b"x-request-id: " + request_id.encode(),
            b"connection: close",
        ]
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + answer.body)
        self.transport.close()
