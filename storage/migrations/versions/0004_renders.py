"""Rendering a variation is a task of its own, after its text"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    time = postgresql.TIMESTAMP(timezone=True, precision=3)
    op.create_table(
        "renders",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("variation_index", sa.SmallInteger(), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("attempt", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("losses", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("not_before", time, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("lease_until", time, nullable=True),
        sa.Column("finished_at", time, nullable=True),
        sa.Column("assets", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('pending', 'leased', 'ready', 'failed')", name=op.f("renders_state_check")),
        sa.CheckConstraint("(state = 'leased') = (lease_until IS NOT NULL)", name=op.f("renders_lease_check")),
        sa.CheckConstraint(
            "(state IN ('ready', 'failed')) = (finished_at IS NOT NULL)", name=op.f("renders_finished_check")
        ),
        sa.CheckConstraint("(state = 'ready') = (assets IS NOT NULL)", name=op.f("renders_assets_check")),
        sa.CheckConstraint("(state = 'failed') = (error_code IS NOT NULL)", name=op.f("renders_error_check")),
        sa.PrimaryKeyConstraint("job_id", "variation_index", name=op.f("renders_pkey")),
    )
    op.create_index(
        "renders_pending_idx", "renders", ["org_id", "not_before"], postgresql_where=sa.text("state = 'pending'")
    )
    op.create_index("renders_leased_idx", "renders", ["lease_until"], postgresql_where=sa.text("state = 'leased'"))


def downgrade() -> None:
    op.drop_table("renders")
