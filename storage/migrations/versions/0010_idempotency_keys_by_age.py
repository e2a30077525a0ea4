"""Idempotency-Keys that have run out are found by their age"""

from collections.abc import Sequence

from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_index("idempotency_keys_accepted_idx", "idempotency_keys", ["accepted_at"])


def downgrade() -> None:
    op.drop_index("idempotency_keys_accepted_idx", "idempotency_keys")
