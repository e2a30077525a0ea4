"""The index of running jobs serves the sweeper alone: no plan may take it for a way to a job"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    _replace("finished_at IS NULL")


def downgrade() -> None:
    _replace("status = 'running'")


def _replace(condition: str) -> None:
    op.drop_index("jobs_running_idx", "jobs")
    op.create_index("jobs_running_idx", "jobs", ["accepted_at"], postgresql_where=sa.text(condition))
