"""How many event streams a key has open, and no more than it may."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from producer.errors import ApiError
from schemas.errors import ErrorCode

_RETRY_AFTER_SECONDS: Final = 5


class OpenStreams:
    """Counts the open streams of one process. `most` is for each key; None counts and never refuses."""

    def __init__(self, *, most: int | None) -> None:
        self._most = most
        self._open: Counter[str] = Counter()

    def open(self, key_id: str) -> int:
        """How many the key has open."""
        return self._open[key_id]

    def response(self, key_id: str, events: AsyncIterator[bytes], headers: dict[str, str]) -> StreamingResponse:
        """A response that counts until it has ended, whichever side ends it. Raises ApiError RATE_LIMITED."""
        if self._most is not None and self.open(key_id) >= self._most:
            raise ApiError(
                ErrorCode.RATE_LIMITED,
                f"This key has {self._most} event streams open — close one, or ask for the job with Prefer: wait.",
                retry_after_seconds=_RETRY_AFTER_SECONDS,
            )
        self._open[key_id] += 1
        return _Counted(self._open, key_id, events, headers)


class _Counted(StreamingResponse):
    def __init__(
        self, counts: Counter[str], key_id: str, events: AsyncIterator[bytes], headers: dict[str, str]
    ) -> None:
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._counts = counts
        self._key_id = key_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            # Also where the client has gone before the first event, and no generator has begun that could tell.
            self._counts[self._key_id] -= 1
            if not self._counts[self._key_id]:
                del self._counts[self._key_id]
