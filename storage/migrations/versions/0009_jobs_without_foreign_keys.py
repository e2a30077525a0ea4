"""A job's row is made of its claim and ended with its event by the statements that write them, not by a check a row"""

from collections.abc import Sequence

from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.drop_constraint("jobs_job_id_fkey", "jobs")
    op.drop_constraint("jobs_completion_event_id_fkey", "jobs")


def downgrade() -> None:
    op.create_foreign_key("jobs_job_id_fkey", "jobs", "claims", ["job_id"], ["job_id"])
    op.create_foreign_key("jobs_completion_event_id_fkey", "jobs", "outbox", ["completion_event_id"], ["event_id"])
