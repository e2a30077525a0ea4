"""One read for everybody who asks at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class Coalesced(Generic[Answer]):
    """Whoever asks while a read is under way shares the next one, so there are never more than two."""

    def __init__(self, read: Callable[[], Awaitable[Answer]]) -> None:
        self._read = read
        self._running: asyncio.Task[Answer] | None = None
        self._next: asyncio.Task[Answer] | None = None

    async def __call__(self) -> Answer:
        """The answer of a read that began after this call did. Raises what the read raises."""
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._running))
            # When all callers have gone away, nobody asks for its failure, and asyncio would log it as a defect.
            self._next.add_done_callback(_noticed)
        # Shielded: one caller who goes away must not take the answer from the others.
        return await asyncio.shield(self._next)

    async def _after(self, running: asyncio.Task[Answer] | None) -> Answer:
        if running is not None:
            await asyncio.wait([running])
        self._running, self._next = self._next, None
        return await self._read()


def _noticed(task: "asyncio.Task[Answer]") -> None:
    if not task.cancelled():
        task.exception()
