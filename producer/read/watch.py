"""Waiting for a job to change: one read of changed rows per tick and process, however many wait."""

import asyncio
import uuid
from dataclasses import dataclass
from typing import Any, Final

import structlog

from runtime.errors import Retryable
from storage.reads import Reads, Seen

_log = structlog.get_logger(__name__)

_TICK_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A job's row at one version, and the rows of its variations if it has ended."""

    job: dict[str, Any]
    variations: list[dict[str, Any]]


class JobWatch:
    """Feeds everyone who waits for a job; they are handed the rows and ask nothing themselves. Runs only while someone
    waits."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._waiting: dict[asyncio.Future[Snapshot | None], Seen] = {}
        self._task: asyncio.Task[None] | None = None
        self.stopping = False

    @property
    def running(self) -> bool:
        """Whether it reads the database now."""
        return self._task is not None and not self._task.done()

    async def changed(
        self, org_id: uuid.UUID, job_id: uuid.UUID, version: int, *, timeout_seconds: float
    ) -> Snapshot | None:
        """Wait until the job's version is above `version`; None when the time is up first, or the process stops."""
        if self.stopping:
            return None
        future: asyncio.Future[Snapshot | None] = asyncio.get_running_loop().create_future()
        self._waiting[future] = Seen(org_id, job_id, version)
        if not self.running:
            self._task = asyncio.create_task(self._run())
        try:
            return await asyncio.wait_for(future, timeout_seconds)
        except TimeoutError:
            return None
        finally:
            del self._waiting[future]

    def stop(self) -> None:
        """Send everyone home, so that open streams do not hold up the end of the process."""
        self.stopping = True
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    async def _run(self) -> None:
        while self._waiting:
            await asyncio.sleep(_TICK_SECONDS)
            await self._tick()

    async def _tick(self) -> None:
        oldest: dict[uuid.UUID, Seen] = {}
        for seen in self._waiting.values():
            if seen.job_id not in oldest or seen.version < oldest[seen.job_id].version:
                oldest[seen.job_id] = seen
        if not oldest:
            return
        try:
            changed = await self._reads.changed(list(oldest.values()))
        except Retryable as error:
            # Those who wait go on waiting: their own time limits end it.
            _log.warning("watch_stalled", reason=str(error))
            return
        snapshots = {job["job_id"]: Snapshot(job, variations) for job, variations in changed}
        for future, seen in self._waiting.items():
            snapshot = snapshots.get(seen.job_id)
            if snapshot is not None and snapshot.job["version"] > seen.version and not future.done():
                future.set_result(snapshot)
