"""Reference data in a database, and what a test asks of the tables afterwards."""

import uuid
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg.rows import TupleRow, dict_row

VIDEO_PRICE: Final = 120
SLIDESHOW_PRICE: Final = 50


@dataclass(frozen=True, slots=True)
class Project:
    """A project with one active video layer, and a post that its organisation tracks."""

    org_id: uuid.UUID
    project_id: uuid.UUID
    layer_id: uuid.UUID
    post_id: uuid.UUID


class World:
    """Inserts reference data as the import would, and reads tables."""

    def __init__(self, connection: psycopg.Connection[TupleRow]) -> None:
        self._connection = connection

    def organization(self, *, credit: int = 1_000_000, max_running_jobs: int = 1_000) -> uuid.UUID:
        org_id = uuid.uuid4()
        self.execute("INSERT INTO organizations VALUES (%s, 'Acme', %s)", org_id, max_running_jobs)
        self.execute("INSERT INTO wallets (org_id) VALUES (%s)", org_id)
        if credit:
            self.top_up(org_id, credit)
        return org_id

    def top_up(self, org_id: uuid.UUID, credit: int) -> None:
        self.execute("INSERT INTO credit_ledger VALUES (%s, 'grant', %s, %s, 0)", uuid.uuid4(), org_id, credit)
        self.execute("UPDATE wallets SET available = available + %s WHERE org_id = %s", credit, org_id)

    def project(self, org_id: uuid.UUID | None = None, *, layers: int = 1, **organization: int) -> Project:
        org_id = org_id or self.organization(**organization)
        project_id, layer_id, post_id = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
        self.execute("INSERT INTO projects VALUES (%s, %s, 'Luma', '{}')", org_id, project_id)
        project = Project(org_id, project_id, layer_id, post_id)
        for number in range(layers):
            self.layer(project, layer_id=layer_id if number == 0 else None)
        self.post(org_id, post_id=post_id)
        return project

    def layer(
        self,
        project: Project,
        *,
        layer_id: uuid.UUID | None = None,
        status: str = "active",
        layer_format: str = "video",
    ) -> uuid.UUID:
        layer_id = layer_id or uuid.uuid4()
        self.execute(
            "INSERT INTO project_layers (org_id, project_id, layer_id, name, status, format)"
            " VALUES (%s, %s, %s, 'UGC', %s, %s)",
            *(project.org_id, project.project_id, layer_id, status, layer_format),
        )
        return layer_id

    def post(
        self,
        org_id: uuid.UUID,
        *,
        post_id: uuid.UUID | None = None,
        project_id: uuid.UUID | None = None,
        platform: str = "tiktok",
        external_id: str | None = None,
    ) -> uuid.UUID:
        post_id = post_id or uuid.uuid4()
        self.execute(
            "INSERT INTO source_posts (org_id, post_id, project_id, platform, external_id, format)"
            " VALUES (%s, %s, %s, %s, %s, 'video')",
            *(org_id, post_id, project_id, platform, external_id or post_id.hex),
        )
        return post_id

    def end_job(self, job_id: uuid.UUID, status: str) -> None:
        """Write what the projector writes when a job has ended."""
        event_id = uuid.uuid4() if status == "completed" else None
        if event_id is not None:
            self.execute("INSERT INTO outbox VALUES (%s, %s, '', '', null, 0, clock_timestamp())", event_id, job_id)
        self.execute(
            "UPDATE jobs SET status = %s, finished_at = clock_timestamp(), credits_charged = 0,"
            " completion_event_id = %s, error_code = %s WHERE job_id = %s",
            *(status, event_id, "PROVIDER_ERROR" if status == "failed" else None, job_id),
        )

    def end_variations(self, job_id: uuid.UUID, org_id: uuid.UUID, count: int) -> None:
        """Write `count` failed variations, as generate does."""
        for index in range(count):
            self.execute(
                "INSERT INTO variations (job_id, variation_index, org_id, state, deadline_at, finished_at, error_code)"
                " VALUES (%s, %s, %s, 'failed', clock_timestamp(), clock_timestamp(), 'PROVIDER_ERROR')",
                *(job_id, index, org_id),
            )

    def execute(self, statement: str, *values: Any) -> None:
        self._connection.execute(statement, values)

    def rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        with self._connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(statement, values).fetchall()

    def count(self, table: str) -> int:
        return int(self.rows(f"SELECT count(*) AS n FROM {table}")[0]["n"])

    def wallet(self, org_id: uuid.UUID) -> tuple[int, int, int]:
        """(available, reserved, running jobs); fails unless the wallet is the sum of its ledger."""
        row = self.rows("SELECT * FROM wallets WHERE org_id = %s", org_id)[0]
        ledger = self.rows(
            "SELECT coalesce(sum(available_delta), 0) AS available, coalesce(sum(reserved_delta), 0) AS reserved"
            " FROM credit_ledger WHERE org_id = %s",
            org_id,
        )[0]
        assert (row["available"], row["reserved"]) == (ledger["available"], ledger["reserved"])
        return row["available"], row["reserved"], row["running_jobs"]
