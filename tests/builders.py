"""Rows as the import, dedup, generate and project write them, for tests that read what became of them."""

import json
import uuid
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg.rows import TupleRow

from storage import keys

TOPIC_ID: Final = uuid.UUID("0195e0a0-0000-7000-8000-000000000001")
CREATIVE: Final = {
    "hook": "I used to dread mornings.",
    "caption": "Made for early risers.",
    "cta": "Tap the link in bio.",
    "voiceOverScript": "I used to dread mornings. Then Luma came along.",
    "shots": [{"startMs": 0, "endMs": 1800, "description": "A face in the mirror."}],
}


@dataclass(frozen=True, slots=True)
class Brand:
    """An organisation with one project, one layer and one tracked post."""

    org_id: uuid.UUID
    project_id: uuid.UUID
    layer_id: uuid.UUID
    post_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class Job:
    """An accepted job."""

    org_id: uuid.UUID
    project_id: uuid.UUID
    container_id: uuid.UUID
    job_id: uuid.UUID
    variations: int


class Rows:
    """Writes rows and commits each at once. Times are Unix milliseconds."""

    def __init__(self, connection: psycopg.Connection[TupleRow]) -> None:
        self._connection = connection
        self._next_offset = 0

    def organization(self, *, available: int = 10_000) -> uuid.UUID:
        org_id = uuid.uuid4()
        self.execute("INSERT INTO organizations (org_id, name) VALUES (%s, 'Acme')", org_id)
        self.execute("INSERT INTO wallets (org_id, available) VALUES (%s, %s)", org_id, available)
        return org_id

    def brand(self, org_id: uuid.UUID | None = None) -> Brand:
        org_id = org_id or self.organization()
        project_id, layer_id = uuid.uuid4(), uuid.uuid4()
        self.execute("INSERT INTO projects VALUES (%s, %s, 'Luma', '{}')", org_id, project_id)
        self.execute(
            "INSERT INTO project_layers (org_id, project_id, layer_id, name, status, format)"
            " VALUES (%s, %s, %s, 'UGC', 'active', 'video')",
            *(org_id, project_id, layer_id),
        )
        return Brand(org_id, project_id, layer_id, self.post(org_id))

    def post(
        self,
        org_id: uuid.UUID,
        *,
        project_id: uuid.UUID | None = None,
        platform: str = "tiktok",
        metrics: dict[str, Any] | None = None,
    ) -> uuid.UUID:
        post_id = uuid.uuid4()
        self.execute(
            "INSERT INTO source_posts (org_id, post_id, project_id, platform, external_id, format, metrics)"
            " VALUES (%s, %s, %s, %s, %s, 'video', %s)",
            *(org_id, post_id, project_id, platform, post_id.hex, None if metrics is None else json.dumps(metrics)),
        )
        return post_id

    def key(self, org_id: uuid.UUID, *scopes: str, tier: str = "partner") -> str:
        _, key = keys.create(self._connection, org_id, scopes=scopes or ("*",), tier=tier, environment="test")
        return key

    def job(
        self,
        brand: Brand,
        *,
        variations: int = 1,
        accepted_at_ms: int = 1_790_000_000_123,
        job_id: uuid.UUID | None = None,
        container_id: uuid.UUID | None = None,
    ) -> Job:
        """What dedup writes when it accepts."""
        job = Job(brand.org_id, brand.project_id, container_id or uuid.uuid4(), job_id or uuid.uuid4(), variations)
        self.execute(
            """INSERT INTO claims (org_id, container_id, job_id, project_id, layer_id, source_post_id, mode, variations,
                 variation_price, ordinal, requested_by, requested_at, accepted_at, deadline_at, topic_id, partition,
                 record_offset)
               VALUES (%s, %s, %s, %s, %s, %s, 'fork', %s, 120, 0, 'test', to_timestamp(%s / 1000.0),
                 to_timestamp(%s / 1000.0), 'infinity', %s, 0, %s)""",
            *(job.org_id, job.container_id, job.job_id, job.project_id, brand.layer_id, brand.post_id, variations),
            *(accepted_at_ms, accepted_at_ms, TOPIC_ID, self._offset()),
        )
        self.execute(
            "INSERT INTO jobs (job_id, org_id, accepted_at, updated_at)"
            " VALUES (%s, %s, to_timestamp(%s / 1000.0), to_timestamp(%s / 1000.0))",
            *(job.job_id, job.org_id, accepted_at_ms, accepted_at_ms),
        )
        return job

    def variation(self, job: Job, index: int, state: str, *, error: tuple[str, str] | None = None) -> None:
        """One variation as generate has it in that state."""
        ended = state in ("succeeded", "failed", "canceled")
        made = state == "succeeded"
        code, message = error or (("PROVIDER_ERROR", "The provider failed.") if state == "failed" else (None, None))
        self.execute(
            """INSERT INTO variations (job_id, variation_index, org_id, state, attempt, lease_until, deadline_at,
                 finished_at, hook_shape, visual_format, duration_ms, creative, provenance, error_code, error_message)
               VALUES (%s, %s, %s, %s, 1, CASE WHEN %s THEN clock_timestamp() END, 'infinity',
                 CASE WHEN %s THEN clock_timestamp() END, %s, %s, %s, %s, %s, %s, %s)""",
            *(job.job_id, index, job.org_id, state, state == "leased", ended),
            *(("story", "talking_head", 21_000) if made else (None, None, None)),
            *((json.dumps(CREATIVE), json.dumps({"generator": "embedded"})) if made else (None, None)),
            *(code, message),
        )

    def advance(self, job: Job, *, stage: str = "generating", progress: float = 0.0) -> None:
        """What project writes while the job runs."""
        self.execute(
            "UPDATE jobs SET stage = %s, progress = %s, version = version + 1 WHERE job_id = %s",
            *(stage, progress, job.job_id),
        )

    def end(self, job: Job, status: str, *, succeeded: int = 0, failed: int = 0, canceled: int = 0) -> None:
        """What project writes when the last variation has ended."""
        event_id = uuid.uuid4() if status == "completed" else None
        if event_id is not None:
            self.execute("INSERT INTO outbox VALUES (%s, %s, '', '', null, 0, now())", event_id, job.job_id)
        error = ("PROVIDER_ERROR", "The provider failed.") if status == "failed" else (None, None)
        self.execute(
            """UPDATE jobs SET status = %s, stage = 'finalizing', progress = 1, version = version + 1,
                 finished_at = to_timestamp(1790000005.250), succeeded = %s, failed = %s, canceled = %s,
                 credits_charged = %s, error_code = %s, error_message = %s, completion_event_id = %s
               WHERE job_id = %s""",
            *(status, succeeded, failed, canceled, succeeded * 120, *error, event_id, job.job_id),
        )

    def refusal(
        self,
        brand: Brand,
        job_id: uuid.UUID,
        *,
        code: str = "BILLING_EXHAUSTED",
        details: dict[str, Any] | None = None,
        kind: str = "clone",
        refused_at_ms: int = 1_790_000_000_456,
        container_id: uuid.UUID | None = None,
    ) -> None:
        """What dedup writes when it refuses."""
        self.execute(
            """INSERT INTO refusals (topic_id, partition, record_offset, kind, org_id, container_id, job_id, project_id,
                 code, message, details, refused_at)
               VALUES (%s, 0, %s, %s, %s, %s, %s, %s, %s, 'Refused.', %s, to_timestamp(%s / 1000.0))""",
            *(TOPIC_ID, self._offset(), kind, brand.org_id, container_id or uuid.uuid4(), job_id, brand.project_id),
            *(code, None if details is None else json.dumps(details), refused_at_ms),
        )

    def decided(self, partition: int, next_offset: int) -> None:
        """Everything below `next_offset` of clone.requests is decided."""
        self.execute(
            "INSERT INTO dedup_progress VALUES (%s, %s, %s)"
            " ON CONFLICT (topic_id, partition) DO UPDATE SET next_offset = EXCLUDED.next_offset",
            *(TOPIC_ID, partition, next_offset),
        )

    def execute(self, statement: str, *values: Any) -> None:
        self._connection.execute(statement, values)

    def one(self, statement: str, *values: Any) -> Any:
        row = self._connection.execute(statement, values).fetchone()
        return None if row is None else row[0]

    def _offset(self) -> int:
        self._next_offset += 1
        return self._next_offset
