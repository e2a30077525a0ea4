"""What operators see of credits: the balance and every entry behind it."""

import uuid
from dataclasses import dataclass
from typing import Any

from schemas.headers import rfc3339
from schemas.ids import format_id
from storage.connection import Connection


@dataclass(frozen=True, slots=True)
class Balance:
    """A wallet and the sums of its ledger; the two are equal, always."""

    available: int
    reserved: int
    ledger_available: int
    ledger_reserved: int


def balance(connection: Connection, org_id: uuid.UUID) -> Balance | None:
    """The organisation's wallet; None for an unknown organisation."""
    row = connection.execute(
        """SELECT w.available, w.reserved, coalesce(sum(l.available_delta), 0)::bigint,
             coalesce(sum(l.reserved_delta), 0)::bigint
           FROM wallets w LEFT JOIN credit_ledger l USING (org_id)
           WHERE w.org_id = %s GROUP BY w.org_id, w.available, w.reserved""",
        (org_id,),
    ).fetchone()
    return None if row is None else Balance(*row)


def ledger(connection: Connection, org_id: uuid.UUID) -> list[dict[str, Any]]:
    """The organisation's entries, oldest first, JSON-ready: of a job by its outside id, of a grant by its own."""
    rows = connection.execute(
        """SELECT job_id, kind, available_delta, reserved_delta,
             (extract(epoch FROM created_at) * 1000)::bigint
           FROM credit_ledger WHERE org_id = %s ORDER BY created_at, job_id, kind""",
        (org_id,),
    )
    return [
        {
            **({"grantId": str(entry_id)} if kind == "grant" else {"jobId": format_id("job", entry_id)}),
            "kind": kind,
            "availableDelta": available,
            "reservedDelta": reserved,
            "createdAt": rfc3339(created_at_ms),
        }
        for entry_id, kind, available, reserved, created_at_ms in rows
    ]
