"""The bytes of a JSON body: of the right type, of a bounded size, counted while they come."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from producer.errors import ApiError, malformed

MAX_BODY_BYTES: Final = 128 * 1024
# A longer run of digits is no size that anybody sends, and int() of it would cost.
_LENGTH_DIGITS: Final = 12

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


def check_json_head(content_type: str, content_length: str) -> None:
    """Refuse what its headers refuse, before any of the body is read. Raises ApiError: 415, 413."""
    if content_type != "application/json":
        media_type = content_type.partition(";")[0].strip().lower()
        if media_type != "application/json" and not media_type.endswith("+json"):
            raise malformed("Send the body as application/json.", status=415)
    if content_length.isdecimal() and (len(content_length) > _LENGTH_DIGITS or int(content_length) > MAX_BODY_BYTES):
        raise _too_large()


async def read_json_body(content_type: str, content_length: str, receive: Receive) -> bytes:
    """The whole body, at most 128 KB. Raises ApiError: 415, 413, or 400 when the client has gone."""
    # Before `receive`, so that a client with `Expect: 100-continue` sends nothing.
    check_json_head(content_type, content_length)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise malformed("The connection was closed.", status=400)
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise _too_large()
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks) if len(chunks) > 1 else chunks[0]


def _too_large() -> ApiError:
    return malformed(f"The body is larger than {MAX_BODY_BYTES // 1024} KB.", status=413)
