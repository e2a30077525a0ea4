"""Credits: the one module that writes wallets and the ledger.

Every change is a ledger row and a wallet update in the same transaction, with deltas that sum to the wallet. The
ledger's key (job, kind) makes a second reserve, settle or grant impossible. Callers hold the wallet locks, taken in
sorted order after any `jobs` lock.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from storage.arrays import bigints, uuids
from storage.connection import Connection


class Reservation(NamedTuple):
    """Credits put aside for one accepted job."""

    org_id: uuid.UUID
    job_id: uuid.UUID
    credits: int
    at_ms: int


class Settlement(NamedTuple):
    """The end of one job: what was reserved goes back except what is charged."""

    org_id: uuid.UUID
    job_id: uuid.UUID
    reserved: int
    charged: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Grant:
    """Credits given to an organisation, once per grant id."""

    org_id: uuid.UUID
    grant_id: uuid.UUID
    amount: int
    note: str | None


def lock_wallets(connection: Connection, org_ids: Sequence[uuid.UUID]) -> Any:
    """Lock these organisations' wallets in the order given, which must be sorted.

    Returns rows (org_id, available, running_jobs, max_running_jobs); an unknown organisation has none.
    """
    if not org_ids:
        return ()
    return connection.execute(
        """SELECT w.org_id, w.available, w.running_jobs, o.max_running_jobs
           FROM wallets w JOIN organizations o USING (org_id)
           WHERE w.org_id = ANY(%b::uuid[]) ORDER BY w.org_id FOR UPDATE OF w""",
        (list(org_ids),),
        binary=True,
    )


def reserve(connection: Connection, reservations: Sequence[Reservation]) -> None:
    """Put credits aside and count the jobs as running. A wallet that would become negative violates its constraint."""
    if not reservations:
        return
    _post(
        connection,
        "reserve",
        [(r.job_id, r.org_id, -r.credits, r.credits, r.at_ms) for r in reservations],
        running_delta=1,
    )


def settle(connection: Connection, settlements: Sequence[Settlement]) -> None:
    """Charge what succeeded, release the rest, and count the jobs as ended."""
    if not settlements:
        return
    _post(
        connection,
        "settle",
        [(s.job_id, s.org_id, s.reserved - s.charged, -s.reserved, s.at_ms) for s in settlements],
        running_delta=-1,
    )


def grant(connection: Connection, grants: Sequence[Grant]) -> None:
    """Give credits; a grant id that was applied before changes nothing."""
    for given in sorted(grants, key=lambda g: g.org_id):
        connection.execute(
            """WITH new AS (
                 INSERT INTO credit_grants (grant_id, org_id, amount, note)
                 VALUES (%(id)s, %(org)s, %(amount)s, %(note)s)
                 ON CONFLICT DO NOTHING RETURNING grant_id
               ), entry AS (
                 INSERT INTO credit_ledger (job_id, kind, org_id, available_delta, reserved_delta)
                 SELECT grant_id, 'grant', %(org)s, %(amount)s, 0 FROM new RETURNING job_id
               )
               UPDATE wallets SET available = available + %(amount)s FROM entry WHERE org_id = %(org)s""",
            {"id": given.grant_id, "org": given.org_id, "amount": given.amount, "note": given.note},
        )


def _post(
    connection: Connection,
    kind: str,
    entries: Sequence[tuple[uuid.UUID, uuid.UUID, int, int, int]],
    *,
    running_delta: int,
) -> None:
    jobs, organizations, available_deltas, reserved_deltas, times = zip(*entries, strict=True)
    connection.execute(
        """INSERT INTO credit_ledger (job_id, kind, org_id, available_delta, reserved_delta, created_at)
           SELECT job_id, %s, org_id, available_delta, reserved_delta, to_timestamp(at / 1000.0)
           FROM unnest(%b::uuid[], %b::uuid[], %b::bigint[], %b::bigint[], %b::bigint[])
           AS new (job_id, org_id, available_delta, reserved_delta, at)""",
        (
            kind,
            uuids(jobs),
            uuids(organizations),
            bigints(available_deltas),
            bigints(reserved_deltas),
            bigints(times),
        ),
    )
    totals: dict[uuid.UUID, list[int]] = {}
    for _, org_id, available, reserved, _ in entries:
        total = totals.setdefault(org_id, [0, 0, 0])
        total[0] += available
        total[1] += reserved
        total[2] += running_delta
    # The rows are locked already, so the order of this update cannot deadlock.
    connection.execute(
        """UPDATE wallets w SET available = w.available + d.available, reserved = w.reserved + d.reserved,
             running_jobs = w.running_jobs + d.running
           FROM unnest(%b::uuid[], %b::bigint[], %b::bigint[], %b::int[]) AS d (org_id, available, reserved, running)
           WHERE w.org_id = d.org_id""",
        (list(totals), *([total[i] for total in totals.values()] for i in range(3))),
    )
