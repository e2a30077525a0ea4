"""The audit log of what operators do about dead letters"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "dead_letter_actions",
        sa.Column("letter_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column(
            "began_at",
            postgresql.TIMESTAMP(timezone=True, precision=3),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("topic", sa.Text(), nullable=True),
        sa.Column("partition", sa.Integer(), nullable=True),
        sa.Column("from_offset", sa.BigInteger(), nullable=True),
        sa.Column("record_offset", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("kind IN ('redrive', 'discard')", name=op.f("dead_letter_actions_kind_check")),
        sa.CheckConstraint(
            "(kind = 'redrive') = (topic IS NOT NULL AND partition IS NOT NULL AND from_offset IS NOT NULL)",
            name=op.f("dead_letter_actions_place_check"),
        ),
        sa.CheckConstraint(
            "kind = 'redrive' OR record_offset IS NULL", name=op.f("dead_letter_actions_record_offset_check")
        ),
        sa.PrimaryKeyConstraint("letter_id", "attempt", name=op.f("dead_letter_actions_pkey")),
    )
