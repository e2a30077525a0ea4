"""A cancel that repeats an accepted one is decided once, too"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "cancel_repeats",
        sa.Column("topic_id", sa.Uuid(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("record_offset", sa.BigInteger(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["cancellations.job_id"], name=op.f("cancel_repeats_job_id_fkey")),
        sa.PrimaryKeyConstraint("topic_id", "partition", "record_offset", name=op.f("cancel_repeats_pkey")),
    )


def downgrade() -> None:
    op.drop_table("cancel_repeats")
