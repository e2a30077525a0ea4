"""What the API shows. Every statement filters by organisation, so another's object is simply not there.

Asynchronous, on a small pool. Raises DatabaseUnavailable within a second or two when Postgres does not answer.
Times are Unix milliseconds.
"""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from runtime.errors import DatabaseUnavailable
from storage import keys
from storage.connection import connection_arguments, domain_errors
from storage.keys import ApiKey

Row = dict[str, Any]

_WAIT_SECONDS: Final = 1.0

_JOB: Final = """
  SELECT c.job_id, c.container_id, c.project_id, c.layer_id, c.mode, c.variations, j.status, j.stage, j.progress,
    j.version, (extract(epoch FROM c.accepted_at) * 1000)::bigint AS accepted_at_ms,
    (extract(epoch FROM j.updated_at) * 1000)::bigint AS updated_at_ms,
    (extract(epoch FROM j.finished_at) * 1000)::bigint AS finished_at_ms,
    j.succeeded, j.failed, j.canceled, j.credits_charged, j.error_code, j.error_message
  FROM claims c JOIN jobs j USING (job_id)
"""


@dataclass(frozen=True, slots=True)
class Page:
    """Where a list goes on: strictly older than this, newest first."""

    at_ms: int
    id: uuid.UUID


class Reads:
    """The read side's queries."""

    def __init__(self, database_url: str, *, connections: int = 8) -> None:
        """Nothing is opened before `open`."""
        self._pool: AsyncConnectionPool[psycopg.AsyncConnection[Row]] = AsyncConnectionPool(
            database_url,
            kwargs={**connection_arguments("clonepost-api"), "autocommit": True, "row_factory": dict_row},
            min_size=1,
            max_size=connections,
            timeout=_WAIT_SECONDS,
            reconnect_timeout=5,
            open=False,
            check=AsyncConnectionPool.check_connection,
        )

    async def open(self) -> None:
        """Start connecting, without waiting for it."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close the pool."""
        await self._pool.close()

    async def keys(self) -> dict[str, ApiKey]:
        """Every key in force."""
        rows = await self._all(keys.LOAD, {})
        return keys.loaded([tuple(row.values()) for row in rows])

    async def job(self, org_id: uuid.UUID, job_id: uuid.UUID) -> Row | None:
        """One accepted job."""
        return await self._one(
            _JOB + " WHERE c.org_id = %(org)s AND c.job_id = %(job)s", {"org": org_id, "job": job_id}
        )

    async def refusal(self, org_id: uuid.UUID, job_id: uuid.UUID) -> Row | None:
        """The latest refusal of a job that was never accepted."""
        return await self._one(
            """SELECT job_id, container_id, project_id, code, message, details,
                 (extract(epoch FROM refused_at) * 1000)::bigint AS refused_at_ms
               FROM refusals WHERE kind = 'clone' AND org_id = %(org)s AND job_id = %(job)s
               ORDER BY refused_at DESC, record_offset DESC LIMIT 1""",
            {"org": org_id, "job": job_id},
        )

    async def job_of_container(self, org_id: uuid.UUID, container_id: uuid.UUID) -> Row | None:
        """The accepted job of a container."""
        return await self._one(
            _JOB + " WHERE c.org_id = %(org)s AND c.container_id = %(container)s",
            {"org": org_id, "container": container_id},
        )

    async def variations(self, job_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[Row]]:
        """The variation rows of jobs that a caller has read for its organisation, by index."""
        rows = await self._all(
            """SELECT job_id, variation_index, state, attempt, hook_shape, visual_format, duration_ms, creative,
                 provenance, error_code, error_message
               FROM variations WHERE job_id = ANY(%(jobs)s::uuid[]) ORDER BY job_id, variation_index""",
            {"jobs": list(job_ids)},
        )
        found: dict[uuid.UUID, list[Row]] = {}
        for row in rows:
            found.setdefault(row["job_id"], []).append(row)
        return found

    async def jobs(
        self,
        org_id: uuid.UUID,
        *,
        status: str | None,
        project_id: uuid.UUID | None,
        before: Page | None,
        limit: int,
    ) -> list[Row]:
        """Accepted jobs, newest first. Refused requests are no jobs."""
        return await self._all(
            _JOB
            + """ WHERE c.org_id = %(org)s
                AND (%(project)s::uuid IS NULL OR c.project_id = %(project)s)
                AND (%(status)s::text IS NULL OR j.status = %(status)s)
                AND (%(at)s::bigint IS NULL
                     OR (c.accepted_at, c.job_id) < (to_timestamp(%(at)s / 1000.0)::timestamptz(3), %(id)s::uuid))
              ORDER BY c.accepted_at DESC, c.job_id DESC LIMIT %(limit)s""",
            {
                "org": org_id,
                "project": project_id,
                "status": status,
                "at": before.at_ms if before else None,
                "id": before.id if before else None,
                "limit": limit,
            },
        )

    async def project_exists(self, org_id: uuid.UUID, project_id: uuid.UUID) -> bool:
        """Whether the organisation has that project."""
        row = await self._one(
            "SELECT 1 AS found FROM projects WHERE org_id = %(org)s AND project_id = %(project)s",
            {"org": org_id, "project": project_id},
        )
        return row is not None

    async def top_performers(
        self,
        org_id: uuid.UUID,
        project_id: uuid.UUID,
        *,
        metric: str,
        window: str,
        platform: str | None,
        offset: int,
        limit: int,
    ) -> list[Row]:
        """The organisation's and the project's tracked posts by a metric of a window, best first. `metric` is a key of
        the stored metrics object."""
        return await self._all(
            """SELECT post_id, external_id, platform, (metrics->%(window)s->>%(metric)s)::float8 AS value
               FROM source_posts
               WHERE org_id = %(org)s AND (project_id IS NULL OR project_id = %(project)s)
                 AND (%(platform)s::text IS NULL OR platform = %(platform)s)
                 AND jsonb_typeof(metrics->%(window)s->%(metric)s) = 'number'
               ORDER BY value DESC, post_id OFFSET %(offset)s LIMIT %(limit)s""",
            {
                "org": org_id,
                "project": project_id,
                "metric": metric,
                "window": window,
                "platform": platform,
                "offset": offset,
                "limit": limit,
            },
        )

    async def credits(self, org_id: uuid.UUID) -> Row | None:
        """The wallet."""
        return await self._one(
            """SELECT w.available, w.reserved, w.running_jobs, o.max_running_jobs
               FROM wallets w JOIN organizations o USING (org_id) WHERE w.org_id = %(org)s""",
            {"org": org_id},
        )

    async def organization_name(self, org_id: uuid.UUID) -> str | None:
        """The organisation's name."""
        row = await self._one("SELECT name FROM organizations WHERE org_id = %(org)s", {"org": org_id})
        return None if row is None else str(row["name"])

    async def versions(self, job_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, int]:
        """The versions of jobs that callers wait for."""
        rows = await self._all(
            "SELECT job_id, version FROM jobs WHERE job_id = ANY(%(jobs)s::uuid[])", {"jobs": list(job_ids)}
        )
        return {row["job_id"]: row["version"] for row in rows}

    async def decided_up_to(self, topic_id: uuid.UUID) -> dict[int, int]:
        """By partition of clone.requests: everything below is decided and can be read."""
        rows = await self._all(
            "SELECT partition, next_offset FROM dedup_progress WHERE topic_id = %(topic)s", {"topic": topic_id}
        )
        return {row["partition"]: row["next_offset"] for row in rows}

    async def ping(self) -> None:
        """Raise DatabaseUnavailable unless Postgres answers and has the tables."""
        await self._one("SELECT 1 AS ok FROM dedup_progress LIMIT 1", {})

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[psycopg.AsyncConnection[Row]]:
        try:
            with domain_errors():
                async with self._pool.connection() as connection:
                    yield connection
        except PoolTimeout as error:
            raise DatabaseUnavailable("postgres: no connection within a second") from error

    async def _all(self, statement: str, parameters: Row) -> list[Row]:
        async with self._connection() as connection:
            cursor = await connection.execute(statement, parameters)
            rows: list[Row] = await cursor.fetchall()
            return rows

    async def _one(self, statement: str, parameters: Row) -> Row | None:
        rows = await self._all(statement, parameters)
        return rows[0] if rows else None
