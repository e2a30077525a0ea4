"""The index of leases serves the sweeper alone: no plan may take it for a way to a variation"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    _replace("lease_until IS NOT NULL")


def downgrade() -> None:
    _replace("state = 'leased'")


def _replace(condition: str) -> None:
    op.drop_index("variations_leased_idx", "variations")
    op.create_index("variations_leased_idx", "variations", ["lease_until"], postgresql_where=sa.text(condition))
