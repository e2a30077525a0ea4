"""Below the application: the envelope for what never reaches it, and each answer sent in one piece."""

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from producer.errors import malformed
from schemas.ids import format_id, new_request_id

MAX_HEAD_BYTES: Final = 64 * 1024


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

    def close(self) -> None:
        self._send()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _send(self) -> None:
        if self._held:
            held, self._held = self._held, []
            # The client may have gone since; a closed transport takes nothing any more.
            if not self._transport.is_closing():
                self._transport.write(b"".join(held))


class EnvelopedHttp(HttpToolsProtocol):
    """uvicorn's protocol, with the error envelope for what its parser refuses, and a bound on the head of a request."""

    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """A client has connected."""
        super().connection_made(cast("asyncio.Transport", _Gathering(transport, self.loop)))

    def on_message_begin(self) -> None:
        """A request begins."""
        self._head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A part of the request's target has come."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header has come."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser refused, and hang up: what follows cannot be told apart from it."""
        request_id = format_id("req", new_request_id())
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

    def _count(self, more_bytes: int) -> None:
        self._head_bytes += more_bytes
        if self._head_bytes > MAX_HEAD_BYTES:
            raise HeadTooLarge
