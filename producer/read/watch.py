"""Waiting for a job to change: one query per tick and process, however many wait."""

import asyncio
import uuid
from typing import Final

import structlog

from runtime.errors import DatabaseUnavailable
from storage.reads import Reads

_log = structlog.get_logger(__name__)

_TICK_SECONDS: Final = 0.05


class JobWatch:
    """Feeds everyone who waits for a job. Runs only while someone does."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._waiting: dict[uuid.UUID, dict[asyncio.Future[None], int]] = {}
        self._task: asyncio.Task[None] | None = None

    async def changed(self, job_id: uuid.UUID, version: int, *, timeout_seconds: float) -> bool:
        """Wait until the job's version is above `version`; false when the time is up first."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(job_id, {})[future] = version
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._tick())
        try:
            await asyncio.wait_for(future, timeout_seconds)
        except TimeoutError:
            return False
        finally:
            waiters = self._waiting[job_id]
            waiters.pop(future, None)
            if not waiters:
                del self._waiting[job_id]
        return True

    async def _tick(self) -> None:
        while self._waiting:
            await asyncio.sleep(_TICK_SECONDS)
            try:
                versions = await self._reads.versions(list(self._waiting))
            except DatabaseUnavailable as error:
                # Those who wait go on waiting: their own time limits end it.
                _log.warning("watch_stalled", reason=str(error))
                continue
            for job_id, version in versions.items():
                for future, known in self._waiting.get(job_id, {}).items():
                    if version > known and not future.done():
                        future.set_result(None)
