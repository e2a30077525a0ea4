"""Renders say since when they wait, and the oldest that has not ended is found at once"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    time = postgresql.TIMESTAMP(timezone=True, precision=3)
    # now() is one value for all rows there are, kept beside the table; clock_timestamp() would write each anew.
    op.add_column("renders", sa.Column("created_at", time, server_default=sa.text("now()"), nullable=False))
    op.alter_column("renders", "created_at", server_default=sa.text("clock_timestamp()"))
    op.create_index(
        "renders_unfinished_idx", "renders", ["created_at"], postgresql_where=sa.text("finished_at IS NULL")
    )


def downgrade() -> None:
    op.drop_index("renders_unfinished_idx", "renders")
    op.drop_column("renders", "created_at")
