"""An end that nobody may have told has a row, whatever becomes of the record that woke the projector"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "untold_ends",
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("job_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column(
            "ended_at",
            postgresql.TIMESTAMP(timezone=True, precision=3),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("batch_id", name=op.f("untold_ends_pkey")),
    )
    op.drop_column("jobs", "ended_by_offset")


def downgrade() -> None:
    op.add_column("jobs", sa.Column("ended_by_offset", sa.BigInteger(), nullable=True))
    op.drop_table("untold_ends")
