"""What the API shows. Every statement filters by organisation, so another's object is simply not there.

Asynchronous, on a small pool. Raises DatabaseUnavailable within two seconds when Postgres does not answer, be it down
or frozen. Times are Unix milliseconds.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from storage import keys
from storage.keys import ApiKey
from storage.questions import Questions, Row

_POOL_WAIT_SECONDS: Final = 1.0
_READ_SECONDS: Final = 2.0

_JOB: Final = """
  SELECT c.job_id, c.container_id, c.project_id, c.layer_id, c.mode, c.variations, j.status, j.stage, j.progress,
    j.version, (extract(epoch FROM c.accepted_at) * 1000)::bigint AS accepted_at_ms,
    (extract(epoch FROM j.updated_at) * 1000)::bigint AS updated_at_ms,
    (extract(epoch FROM j.finished_at) * 1000)::bigint AS finished_at_ms,
    j.succeeded, j.failed, j.canceled, j.credits_charged, j.error_code, j.error_message,
    CASE WHEN j.status = 'running' THEN 0 ELSE (
      SELECT count(*) FROM renders r WHERE r.job_id = j.job_id AND r.finished_at IS NOT NULL) END AS rendered
  FROM claims c JOIN jobs j USING (job_id)
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """A job as somebody has seen it, who waits for a later version."""

    org_id: uuid.UUID
    job_id: uuid.UUID
    version: int


@dataclass(frozen=True, slots=True)
class Page:
    """Where a list goes on: strictly older than this, newest first."""

    at_ms: int
    id: uuid.UUID


class Reads:
    """The read side's queries."""

    def __init__(self, database_url: str, *, connections: int = 8) -> None:
        """Nothing is opened before `open`. Raises Fatal when the address is malformed."""
        self._questions = Questions(
            database_url,
            application_name="clonepost-api",
            connections=connections,
            connection_seconds=_POOL_WAIT_SECONDS,
            answer_seconds=_READ_SECONDS,
        )

    async def open(self) -> None:
        """Start connecting, without waiting for it."""
        await self._questions.open()

    async def close(self) -> None:
        """Close the connections."""
        await self._questions.close()

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

    async def variations(self, org_id: uuid.UUID, job_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[Row]]:
        """The variation rows of an organisation's jobs, by index; a job without rows is not in it."""
        return await self._variations([org_id] * len(job_ids), job_ids)

    async def _variations(
        self, org_ids: Sequence[uuid.UUID], job_ids: Sequence[uuid.UUID]
    ) -> dict[uuid.UUID, list[Row]]:
        if not job_ids:
            return {}
        rows = await self._all(
            """SELECT v.job_id, v.variation_index, v.state, v.attempt, v.hook_shape, v.visual_format, v.duration_ms,
                 v.creative, v.provenance, v.error_code, v.error_message, r.state AS render_state, r.assets,
                 r.error_code AS render_error_code, r.error_message AS render_error_message
               FROM unnest(%(orgs)s::uuid[], %(jobs)s::uuid[]) AS wanted (org_id, job_id)
               JOIN variations v ON v.job_id = wanted.job_id AND v.org_id = wanted.org_id
               LEFT JOIN renders r ON r.job_id = v.job_id AND r.variation_index = v.variation_index
               ORDER BY v.job_id, v.variation_index""",
            {"orgs": list(org_ids), "jobs": list(job_ids)},
        )
        found: dict[uuid.UUID, list[Row]] = {}
        for row in rows:
            found.setdefault(row["job_id"], []).append(row)
        return found

    async def rendered(self, org_id: uuid.UUID, job_id: uuid.UUID, index: int) -> Row | None:
        """The assets of a variation, and the attempt that made them; None while they are not ready."""
        return await self._one(
            """SELECT attempt, assets FROM renders
               WHERE job_id = %(job)s AND variation_index = %(index)s AND org_id = %(org)s AND state = 'ready'""",
            {"org": org_id, "job": job_id, "index": index},
        )

    async def rendering(self, org_id: uuid.UUID, job_id: uuid.UUID) -> Row | None:
        """How far a job's renders are: `expected`, `ended` and when the last one did; None where there are none."""
        return await self._one(
            """SELECT count(*) AS expected, count(finished_at) AS ended,
                 (extract(epoch FROM max(finished_at)) * 1000)::bigint AS ended_at_ms
               FROM renders WHERE job_id = %(job)s AND org_id = %(org)s HAVING count(*) > 0""",
            {"org": org_id, "job": job_id},
        )

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
        # Only the conditions that are asked for: a parameter that may be null hides the index from a prepared plan.
        conditions = ["c.org_id = %(org)s"]
        if project_id is not None:
            conditions.append("c.project_id = %(project)s")
        if status is not None:
            conditions.append("j.status = %(status)s")
        if before is not None:
            conditions.append("(c.accepted_at, c.job_id) < (to_timestamp(%(at)s / 1000.0)::timestamptz(3), %(id)s)")
        return await self._all(
            f"{_JOB} WHERE {' AND '.join(conditions)} ORDER BY c.accepted_at DESC, c.job_id DESC LIMIT %(limit)s",
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

    async def changed(self, seen: Sequence[Seen]) -> list[tuple[Row, list[Row]]]:
        """Of these jobs the ones with a later version, each with its variation rows if it has ended. Two statements at
        most, however many are asked for."""
        rows = await self._all(
            _JOB
            + """ JOIN unnest(%(orgs)s::uuid[], %(jobs)s::uuid[], %(versions)s::int[]) AS seen (org_id, job_id, version)
                ON c.org_id = seen.org_id AND c.job_id = seen.job_id AND j.version > seen.version""",
            {
                "orgs": [one.org_id for one in seen],
                "jobs": [one.job_id for one in seen],
                "versions": [one.version for one in seen],
            },
        )
        ended = {row["job_id"] for row in rows if row["status"] != "running"}
        made = await self._variations(
            [one.org_id for one in seen if one.job_id in ended], [one.job_id for one in seen if one.job_id in ended]
        )
        return [(row, made.get(row["job_id"], [])) for row in rows]

    async def decided_up_to(self, topic_id: uuid.UUID) -> dict[int, int]:
        """By partition of clone.requests: everything below is decided and can be read."""
        rows = await self._all(
            "SELECT partition, next_offset FROM dedup_progress WHERE topic_id = %(topic)s", {"topic": topic_id}
        )
        return {row["partition"]: row["next_offset"] for row in rows}

    async def ping(self) -> None:
        """Raise DatabaseUnavailable unless Postgres answers and has the tables."""
        await self._one("SELECT 1 AS ok FROM dedup_progress LIMIT 1", {})

    async def _all(self, statement: str, parameters: Row) -> list[Row]:
        return await self._questions.all(statement, parameters)

    async def _one(self, statement: str, parameters: Row) -> Row | None:
        rows = await self._all(statement, parameters)
        return rows[0] if rows else None
