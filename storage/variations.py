"""The life of a variation: one function per transition, each a single statement that names the states it leaves.

Only the generate role calls these. Time is the database's `clock_timestamp()` alone. Arguments are batches; a batch is
sorted by key, so that two processes lock rows in one order. A transaction of several transitions locks its rows first;
the sweeper, which holds what it has found, passes over what is locked. Arrays are sent in binary (`%b`): as text, each
quotation mark of a creative would be escaped in Python. A guard on a state stands in a CASE: without statistics
Postgres guesses that a plain one leaves one row of two hundred, and reads the table for these rather than find the
batch by its keys.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import pydantic_core
from psycopg.errors import UniqueViolation

from storage.arrays import Smallints, Uuids, ints, smallints, texts, uuids
from storage.connection import Connection

_FAN_OUT: Final = """
  INSERT INTO variations (job_id, variation_index, org_id, state, attempt, lease_until, worker_id, deadline_at)
  SELECT n.job_id, n.i, n.org_id, CASE WHEN n.now THEN 'leased' ELSE 'pending' END,
    CASE WHEN n.now THEN 1 ELSE 0 END,
    CASE WHEN n.now THEN clock_timestamp() + make_interval(secs => %(lease)s) END,
    CASE WHEN n.now THEN %(worker)s::uuid END, n.deadline_at
  FROM (SELECT c.job_id, c.org_id, c.deadline_at, i,
          row_number() OVER (ORDER BY a.place, i) <= %(room)s
            -- Not EXISTS: that might be answered by reading everything that is pending.
            OR CASE WHEN i < a.reserved
               THEN (SELECT 1 FROM variations v WHERE v.state = 'pending' AND v.org_id = c.org_id LIMIT 1) IS NULL
               ELSE false END AS now
        FROM unnest(%(jobs)b::uuid[], %(reserved)b::int[]) WITH ORDINALITY AS a (job_id, reserved, place)
        JOIN claims c ON c.job_id = a.job_id
        JOIN jobs j ON j.job_id = a.job_id AND CASE WHEN j.status = 'running' THEN true END
        CROSS JOIN generate_series(0, c.variations - 1) AS i
        WHERE NOT EXISTS (SELECT FROM cancellations x WHERE x.job_id = a.job_id)) n"""
_RETURNING: Final = " RETURNING job_id, variation_index, attempt"
_NEW_ROWS: Final = _FAN_OUT + _RETURNING
_MISSING_ROWS: Final = _FAN_OUT + " ON CONFLICT (job_id, variation_index) DO NOTHING" + _RETURNING


class Lease(NamedTuple):
    """The right to finish one variation, until another attempt takes it over. A tuple: it is hashed on the hot path."""

    job_id: uuid.UUID
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody calls on a lease
    attempt: int


class Claimed(NamedTuple):
    """A variation that was leased again, or for the first time."""

    lease: Lease
    org_id: uuid.UUID
    retries: int


class Success(NamedTuple):
    """A finished variation."""

    lease: Lease
    hook_shape: str
    visual_format: str
    duration_ms: int
    creative: str
    """JSON text."""
    provenance: str
    """JSON text."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A variation that cannot be made."""

    lease: Lease
    code: str
    message: str
    provenance: str
    """JSON text."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Variations of one job that have just ended (none: look at the job again)."""

    job_id: uuid.UUID
    container_id: uuid.UUID
    traceparent: str | None
    indexes: tuple[int, ...]


def fan_out(
    connection: Connection,
    job_ids: Sequence[uuid.UUID],
    *,
    room: int,
    reserved: Sequence[int] = (),
    worker_id: uuid.UUID,
    lease_seconds: float,
) -> tuple[list[Lease], int]:
    """none -> leased for the first `room` variations, and for the first `reserved` of each job whose organisation has
    nothing pending; none -> pending for the rest. Returns the leases, and how many are pending.

    Rows that exist stay as they are, so a job that is fanned out again loses and doubles nothing. What is made is what
    the claim says. A job that has ended or is being canceled gets no rows here.
    """
    asked = {
        "room": room,
        "reserved": ints(reserved or [0] * len(job_ids)),
        "lease": lease_seconds,
        "worker": worker_id,
        "jobs": uuids(job_ids),
    }
    try:
        # Nearly every batch is new, and each row that may conflict is looked for twice.
        with connection.transaction():
            rows = connection.execute(_NEW_ROWS, asked, binary=True).fetchall()
    except UniqueViolation:
        rows = connection.execute(_MISSING_ROWS, asked, binary=True).fetchall()
    leases = [Lease(*row) for row in rows if row[2] > 0]
    return leases, len(rows) - len(leases)


def claim(
    connection: Connection, *, slots: int, worker_id: uuid.UUID, lease_seconds: float, after: uuid.UUID
) -> list[Claimed]:
    """pending -> leased for up to `slots` variations that may start now, round robin over organisations.

    The round begins with the organisation that follows `after`. May return fewer than there are; call again until it
    returns none. The recursive part walks the index from one organisation to the next, and of each only its share is
    looked at, so the flood of one organisation is never read through and never delays another's next variation. The
    clock is rounded as the column is: a row made a moment ago may stand half a millisecond in the future, and a claim
    that passed it over would leave it to the next poll.
    """
    rows = connection.execute(
        """WITH RECURSIVE orgs AS (
             (SELECT org_id FROM variations WHERE state = 'pending' ORDER BY org_id LIMIT 1)
             UNION ALL
             SELECT (SELECT v.org_id FROM variations v WHERE v.state = 'pending' AND v.org_id > o.org_id
                     ORDER BY v.org_id LIMIT 1)
             FROM orgs o WHERE o.org_id IS NOT NULL
           ), share AS (
             -- Twice the even share: what another process locks at the same moment is skipped.
             SELECT 2 * ceil(%(slots)s / greatest(count(*), 1)::float8)::int AS most FROM orgs WHERE org_id IS NOT NULL
           ), candidates AS (
             SELECT o.org_id, c.job_id, c.variation_index, c.turn
             FROM orgs o CROSS JOIN LATERAL (
               SELECT v.job_id, v.variation_index, row_number() OVER (ORDER BY v.not_before) AS turn
               FROM (SELECT job_id, variation_index, not_before FROM variations
                     WHERE state = 'pending' AND org_id = o.org_id
                       AND not_before <= (SELECT clock_timestamp()::timestamptz(3))
                     ORDER BY not_before LIMIT (SELECT most FROM share)) v
             ) c
             WHERE o.org_id IS NOT NULL
           ), locked AS (
             SELECT v.job_id, v.variation_index
             FROM candidates c JOIN variations v USING (job_id, variation_index)
             WHERE v.state = 'pending' AND v.not_before <= (SELECT clock_timestamp()::timestamptz(3))
             ORDER BY c.turn, c.org_id <= %(after)s, c.org_id
             LIMIT %(slots)s FOR UPDATE OF v SKIP LOCKED
           )
           UPDATE variations v SET state = 'leased', attempt = v.attempt + 1, worker_id = %(worker)s, step = NULL,
             lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
           FROM locked l WHERE v.job_id = l.job_id AND v.variation_index = l.variation_index AND v.state = 'pending'
           RETURNING v.job_id, v.variation_index, v.attempt, v.org_id, v.retries""",
        {"slots": slots, "worker": worker_id, "lease": lease_seconds, "after": after},
        binary=True,
    )
    return [Claimed(Lease(*row[:3]), *row[3:]) for row in rows]


def succeed(connection: Connection, results: Sequence[Success]) -> set[Lease]:
    """leased -> succeeded by the attempt that holds the lease. Returns the leases whose result was taken."""
    ordered = sorted(results, key=lambda result: _row_order(result.lease))
    taken = connection.execute(
        """UPDATE variations v SET state = 'succeeded', lease_until = NULL, step = NULL,
             finished_at = clock_timestamp(), hook_shape = r.hook_shape, visual_format = r.visual_format,
             duration_ms = r.duration_ms,
             creative = r.creative::jsonb, provenance = r.provenance::jsonb
           FROM unnest(%b::uuid[], %b::smallint[], %b::smallint[], %b::text[], %b::text[], %b::int[], %b::text[],
                       %b::text[])
             AS r (job_id, variation_index, attempt, hook_shape, visual_format, duration_ms, creative, provenance)
           WHERE v.job_id = r.job_id AND v.variation_index = r.variation_index
             AND CASE WHEN v.state = 'leased' THEN true END AND v.attempt = r.attempt
           RETURNING v.job_id, v.variation_index, v.attempt""",
        (
            *_lease_columns([r.lease for r in ordered]),
            texts([r.hook_shape for r in ordered]),
            texts([r.visual_format for r in ordered]),
            ints([r.duration_ms for r in ordered]),
            texts([r.creative for r in ordered]),
            texts([r.provenance for r in ordered]),
        ),
        binary=True,
    )
    if taken.rowcount == len(ordered):
        return {result.lease for result in ordered}
    return {Lease(*row) for row in taken}


def fail(connection: Connection, failures: Sequence[Failure]) -> set[Lease]:
    """leased -> failed by the attempt that holds the lease. Returns the leases whose failure was taken."""
    ordered = sorted(failures, key=lambda failure: _row_order(failure.lease))
    rows = connection.execute(
        """UPDATE variations v SET state = 'failed', lease_until = NULL, finished_at = clock_timestamp(), step = NULL,
             error_code = r.code, error_message = r.message, provenance = r.provenance::jsonb
           FROM unnest(%b::uuid[], %b::smallint[], %b::smallint[], %b::text[], %b::text[], %b::text[])
             AS r (job_id, variation_index, attempt, code, message, provenance)
           WHERE v.job_id = r.job_id AND v.variation_index = r.variation_index
             AND CASE WHEN v.state = 'leased' THEN true END AND v.attempt = r.attempt
           RETURNING v.job_id, v.variation_index, v.attempt""",
        (
            *_lease_columns([f.lease for f in ordered]),
            [f.code for f in ordered],
            [f.message for f in ordered],
            [f.provenance for f in ordered],
        ),
        binary=True,
    )
    return {Lease(*row) for row in rows}


def put_back(connection: Connection, leases: Sequence[tuple[Lease, float]], *, retry: bool) -> None:
    """leased -> pending, not before so many seconds from now: a retry, or work that a stop gives back.

    Only a retry is counted as one. Neither is a loss: those are workers that vanished, and this one speaks. The
    attempt number stays used.
    """
    ordered = sorted(leases, key=lambda one: _row_order(one[0]))
    connection.execute(
        """UPDATE variations v SET state = 'pending', lease_until = NULL, worker_id = NULL, step = NULL,
             retries = v.retries + %s, not_before = clock_timestamp() + make_interval(secs => r.wait_seconds)
           FROM unnest(%b::uuid[], %b::smallint[], %b::smallint[], %b::float8[])
             AS r (job_id, variation_index, attempt, wait_seconds)
           WHERE v.job_id = r.job_id AND v.variation_index = r.variation_index
             AND CASE WHEN v.state = 'leased' THEN true END AND v.attempt = r.attempt""",
        (int(retry), *_lease_columns([lease for lease, _ in ordered]), [wait for _, wait in ordered]),
    )


def renew(connection: Connection, leases: Sequence[Lease], *, lease_seconds: float) -> set[Lease]:
    """Extend the leases that are still held; returns them. One that is missing was taken over or ended by others."""
    rows = connection.execute(
        """UPDATE variations v SET lease_until = clock_timestamp() + make_interval(secs => %s)
           FROM unnest(%b::uuid[], %b::smallint[], %b::smallint[]) AS r (job_id, variation_index, attempt)
           WHERE v.job_id = r.job_id AND v.variation_index = r.variation_index
             AND CASE WHEN v.state = 'leased' THEN true END AND v.attempt = r.attempt
           RETURNING v.job_id, v.variation_index, v.attempt""",
        (lease_seconds, *_lease_columns(sorted(leases, key=_row_order))),
        binary=True,
    )
    return {Lease(*row) for row in rows}


def mark_steps(connection: Connection, steps: Sequence[tuple[Lease, str]]) -> None:
    """Say what slow attempts are at, for the stage that readers see."""
    ordered = sorted(steps, key=lambda one: _row_order(one[0]))
    connection.execute(
        """UPDATE variations v SET step = r.step
           FROM unnest(%b::uuid[], %b::smallint[], %b::smallint[], %b::text[])
             AS r (job_id, variation_index, attempt, step)
           WHERE v.job_id = r.job_id AND v.variation_index = r.variation_index
             AND CASE WHEN v.state = 'leased' THEN true END AND v.attempt = r.attempt""",
        (*_lease_columns([lease for lease, _ in ordered]), [step for _, step in ordered]),
    )


def lock(connection: Connection, leases: Sequence[Lease]) -> None:
    """Lock these variations in the order of all, before more than one transition of them in a transaction."""
    ordered = sorted(leases, key=_row_order)
    connection.execute(
        """SELECT FROM unnest(%b::uuid[], %b::smallint[]) AS r (job_id, variation_index)
           JOIN variations v USING (job_id, variation_index)
           ORDER BY v.job_id, v.variation_index FOR UPDATE OF v""",
        (uuids([lease.job_id for lease in ordered]), smallints([lease.index for lease in ordered])),
    )


def cancel(connection: Connection, job_ids: Sequence[uuid.UUID]) -> None:
    """none | pending | leased -> canceled for every variation of these jobs that has not ended.

    The attempt rises, so that a worker that still holds a lease matches nothing. Only jobs with an accepted cancel.
    """
    jobs = sorted(job_ids)
    connection.execute(
        """UPDATE variations v SET state = 'canceled', attempt = v.attempt + 1, lease_until = NULL, worker_id = NULL,
             step = NULL, finished_at = clock_timestamp()
           FROM (SELECT job_id, variation_index FROM variations
                 WHERE job_id = ANY(%b::uuid[]) AND state IN ('pending', 'leased')
                 ORDER BY job_id, variation_index FOR UPDATE) l
           JOIN cancellations x USING (job_id)
           WHERE v.job_id = l.job_id AND v.variation_index = l.variation_index""",
        (jobs,),
    )
    connection.execute(
        """INSERT INTO variations (job_id, variation_index, org_id, state, finished_at, deadline_at)
           SELECT c.job_id, i, c.org_id, 'canceled', clock_timestamp(), c.deadline_at
           FROM claims c JOIN cancellations x USING (job_id) CROSS JOIN generate_series(0, c.variations - 1) AS i
           WHERE c.job_id = ANY(%b::uuid[])
           ON CONFLICT (job_id, variation_index) DO NOTHING""",
        (jobs,),
    )


def to_json(value: Any) -> str:
    """JSON text for a jsonb column; a float that is no number becomes null. Raises ValueError for a lone surrogate."""
    # An eighth of the time that the standard library's encoder takes, six times a job.
    return pydantic_core.to_json(value, inf_nan_mode="null").decode()


def _row_order(lease: Lease) -> tuple[int, int]:
    # One order of locking for all. By number: UUID's own comparison is ten times slower.
    return lease.job_id.int, lease.index


def _lease_columns(leases: Sequence[Lease]) -> tuple[Uuids, Smallints, Smallints]:
    return (
        uuids([lease.job_id for lease in leases]),
        smallints([lease.index for lease in leases]),
        smallints([lease.attempt for lease in leases]),
    )
