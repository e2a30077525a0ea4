"""Finding a job, and the rule "404 or not yet".

A request may be acknowledged and not decided yet. So an unknown job is 404 only once every record that was in
clone.requests when the question came has been decided; until then, for up to a second, the answer waits, then it is
503.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from producer.errors import ApiError, unavailable
from producer.read.coalesced import Coalesced
from runtime.errors import BrokerUnavailable
from runtime.kafka_admin import TopicEnds
from schemas.errors import ErrorCode
from storage.reads import Reads

_WAIT_SECONDS: Final = 1.0
_LOOK_AGAIN_SECONDS: Final = 0.02

Found = TypeVar("Found")
EndOffsets = Callable[[], Awaitable[TopicEnds]]
"""The ends of clone.requests, read after the call."""


class EndOffsetReader:
    """The ends of clone.requests, asked for in a thread, once for everybody who asks at the same time."""

    def __init__(self, read: Callable[[], TopicEnds]) -> None:
        self._ends = Coalesced(lambda: asyncio.to_thread(read))

    async def __call__(self) -> TopicEnds:
        """The ends, from a read that began after this call did. Raises BrokerUnavailable."""
        return await self._ends()


class Lookup:
    """Finds what may have been admitted a moment ago."""

    def __init__(self, reads: Reads, end_offsets: EndOffsets) -> None:
        self._reads = reads
        self._end_offsets = end_offsets
        self._topic_id: uuid.UUID | None = None
        self._decided: Coalesced[dict[int, int]] | None = None

    async def find(self, look: Callable[[], Awaitable[Found | None]], *, what: str) -> Found:
        """What `look` finds. Raises ApiError NOT_FOUND, or UNAVAILABLE while that cannot be said."""
        found = await look()
        if found is not None:
            return found
        until = asyncio.get_running_loop().time() + _WAIT_SECONDS
        try:
            ends = await asyncio.wait_for(self._end_offsets(), _WAIT_SECONDS)
        except (TimeoutError, BrokerUnavailable) as error:
            raise unavailable(f"Whether there is such a {what.lower()} cannot be said now — try again.") from error
        looked_at: dict[int, int] | None = None
        decided_up_to = self._decided_up_to(ends.topic_id)
        while True:
            decided = await decided_up_to()
            if decided != looked_at:
                # Progress first, then the look: what was decided before the one is visible to the other.
                found = await look()
                if found is not None:
                    return found
                looked_at = decided
            # A partition that dedup has read and the broker does not tell of is one whose end nobody knows.
            if decided.keys() <= ends.offsets.keys() and all(
                decided.get(partition, 0) >= end for partition, end in ends.offsets.items()
            ):
                raise ApiError(ErrorCode.NOT_FOUND, f"{what} not found.")
            if asyncio.get_running_loop().time() > until:
                raise unavailable(f"{what} not found yet: earlier requests are still being decided — try again.")
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    def _decided_up_to(self, topic_id: uuid.UUID) -> Coalesced[dict[int, int]]:
        """How far dedup is in that topic. One that was made anew begins again: what the old one had says nothing."""
        if self._decided is None or topic_id != self._topic_id:
            self._topic_id = topic_id
            self._decided = Coalesced(lambda: self._reads.decided_up_to(topic_id))
        return self._decided

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
