"""Finding a job, and the rule "404 or not yet".

A request may be acknowledged and not decided yet. So an unknown job is 404 only once every record that was in
clone.requests when the question came has been decided; until then, for up to a second, the answer waits, then it is
503.
"""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from producer.errors import ApiError, unavailable
from schemas.errors import ErrorCode
from storage.reads import Reads

_WAIT_SECONDS: Final = 1.0
_LOOK_AGAIN_SECONDS: Final = 0.02

Found = TypeVar("Found")
EndOffsets = Callable[[], Awaitable[dict[int, int]]]
"""The ends of clone.requests, read after the call."""


class EndOffsetReader:
    """Coalesces questions for the ends: everyone who asks while a read is under way shares the next one."""

    def __init__(self, read: Callable[[], dict[int, int]]) -> None:
        self._read = read
        self._running: asyncio.Task[dict[int, int]] | None = None
        self._next: asyncio.Task[dict[int, int]] | None = None

    async def __call__(self) -> dict[int, int]:
        """The ends, from a read that began after this call did."""
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._running))
        return await asyncio.shield(self._next)

    async def _after(self, running: asyncio.Task[dict[int, int]] | None) -> dict[int, int]:
        if running is not None:
            await asyncio.wait([running])
        self._running, self._next = self._next, None
        return await asyncio.to_thread(self._read)


class Lookup:
    """Finds what may have been admitted a moment ago."""

    def __init__(self, reads: Reads, end_offsets: EndOffsets, topic_id: uuid.UUID) -> None:
        self._reads = reads
        self._end_offsets = end_offsets
        self._topic_id = topic_id

    async def find(self, look: Callable[[], Awaitable[Found | None]], *, what: str) -> Found:
        """What `look` finds. Raises ApiError NOT_FOUND, or UNAVAILABLE while that cannot be said."""
        found = await look()
        if found is not None:
            return found
        until = time.monotonic() + _WAIT_SECONDS
        ends = await self._end_offsets()
        while True:
            decided = await self._reads.decided_up_to(self._topic_id)
            # Progress first, then the look: what was decided before the one is visible to the other.
            found = await look()
            if found is not None:
                return found
            if all(decided.get(partition, 0) >= end for partition, end in ends.items()):
                raise ApiError(ErrorCode.NOT_FOUND, f"{what} not found.")
            if time.monotonic() > until:
                raise unavailable(f"{what} not found yet: earlier requests are still being decided — try again.")
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    async def job(self, org_id: uuid.UUID, job_id: uuid.UUID) -> tuple[dict[str, Any], bool]:
        """The job's row and whether it was accepted (else the row is its refusal). Raises ApiError."""

        async def look() -> tuple[dict[str, Any], bool] | None:
            job = await self._reads.job(org_id, job_id)
            if job is not None:
                return job, True
            refusal = await self._reads.refusal(org_id, job_id)
            return None if refusal is None else (refusal, False)

        return await self.find(look, what="Job")

    async def container_of_job(self, org_id: uuid.UUID, job_id: uuid.UUID) -> uuid.UUID:
        """The container of a job or of its refusal. Raises ApiError."""
        row, _ = await self.job(org_id, job_id)
        container: uuid.UUID = row["container_id"]
        return container
