"""Bytes that never reach the application: what is no HTTP, and headers without end. They get the envelope too."""

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from producer.errors import malformed
from schemas.ids import format_id, new_request_id

MAX_HEAD_BYTES: Final = 64 * 1024


class HeadTooLarge(ValueError):
    """The request line and the headers are longer than any client's of ours; nothing more of them is kept."""


class EnvelopedHttp(HttpToolsProtocol):
    """uvicorn's protocol, with the error envelope for what its parser refuses, and a bound on the head of a request."""

    _head_bytes = 0

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
