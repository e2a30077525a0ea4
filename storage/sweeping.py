"""What the sweeper repairs: work whose owner vanished, and records that were lost between two topics.

Each function is one bounded step inside the sweeper's transaction. With these, every topic after clone.requests could
be lost and every job would still end. Index conditions compare with `(SELECT clock_timestamp())`: the bare function is
volatile, so Postgres would read a whole index to answer it.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from storage import material
from storage.admission import IDEMPOTENCY_KEY_HOURS
from storage.connection import Connection
from storage.variations import Ended

# Never change while several releases run side by side: it keeps the sweepers of all processes from working at once.
_SWEEPER_LOCK: Final = 7_310_482_955
MAX_LOSSES: Final = 3
"""With its third vanished worker a variation fails: it may be what kills them."""
_CHUNK: Final = 1_000
_EVER_SECONDS: Final = 1e9


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A running job's place in the order of the walk."""

    accepted_at: datetime
    job_id: uuid.UUID


WALK_START: Final = Place(datetime(1970, 1, 1, tzinfo=UTC), uuid.UUID(int=0))


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job that should have moved by now, and what there is of it. "A while" is the walk's `older_than_seconds`."""

    place: Place
    container_id: uuid.UUID
    traceparent: str | None
    requested: int
    rows: int
    ended: int
    quiet: bool
    """Its last variation ended a while ago."""
    canceled: bool
    """A cancel was accepted."""
    cancel_overdue: bool
    """A cancel was accepted a while ago."""
    late: bool
    """Its deadline has passed."""


def take_turn(connection: Connection) -> bool:
    """Whether this transaction is the one sweeper; false when another process is sweeping now."""
    row = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (_SWEEPER_LOCK,)).fetchone()
    return bool(row and row[0])


def requeue_lost(connection: Connection, *, back_seconds: float = _EVER_SECONDS) -> int:
    """leased -> pending where the lease ran out, no longer ago than that: its worker vanished. Counts the loss; returns
    how many.

    The index holds every lease since the last vacuum, ended or not: `back_seconds` keeps a look from reading them all.
    The attempt number is not freed: the vanished worker may come back, and its write must match nothing. The next try
    waits a little longer each time, so that work that kills its workers does not do so in a row.
    """
    cursor = connection.execute(
        """UPDATE variations v SET state = 'pending', losses = v.losses + 1, lease_until = NULL, worker_id = NULL,
             step = NULL,
             not_before = clock_timestamp() + make_interval(secs => power(2, v.losses) * (0.5 + random() / 2))
           FROM (SELECT job_id, variation_index FROM variations
                 WHERE state = 'leased' AND lease_until < (SELECT clock_timestamp()) AND losses < %s
                   AND lease_until > (SELECT clock_timestamp()) - make_interval(secs => %s)
                 ORDER BY lease_until LIMIT %s FOR UPDATE SKIP LOCKED) lost
           WHERE v.job_id = lost.job_id AND v.variation_index = lost.variation_index""",
        (MAX_LOSSES - 1, back_seconds, _CHUNK),
    )
    return cursor.rowcount


def fail_lost(connection: Connection, *, back_seconds: float = _EVER_SECONDS) -> list[Ended]:
    """leased -> failed WORKER_LOST where the lease ran out for the third time, no longer ago than that."""
    rows = connection.execute(
        """UPDATE variations v SET state = 'failed', attempt = v.attempt + 1, losses = v.losses + 1, lease_until = NULL,
             worker_id = NULL, step = NULL, finished_at = clock_timestamp(), error_code = 'WORKER_LOST',
             error_message = 'The workers of three attempts vanished.'
           FROM (SELECT job_id, variation_index FROM variations
                 WHERE state = 'leased' AND lease_until < (SELECT clock_timestamp()) AND losses >= %s
                   AND lease_until > (SELECT clock_timestamp()) - make_interval(secs => %s)
                 ORDER BY lease_until LIMIT %s FOR UPDATE SKIP LOCKED) lost
           WHERE v.job_id = lost.job_id AND v.variation_index = lost.variation_index
           RETURNING v.job_id, v.variation_index""",
        (MAX_LOSSES - 1, back_seconds, _CHUNK),
    )
    return _ended(connection, list(rows))


def running_jobs(connection: Connection, *, after: Place, older_than_seconds: float, most: int) -> list[RunningJob]:
    """The next running jobs of the walk, oldest first, that were accepted longer ago than that."""
    rows = connection.execute(
        """SELECT j.accepted_at, j.job_id, c.container_id, c.traceparent, c.variations, v.rows, v.ended,
             coalesce(v.last < now.at - make_interval(secs => %(age)s), false),
             x.job_id IS NOT NULL, coalesce(x.canceled_at < now.at - make_interval(secs => %(age)s), false),
             c.deadline_at < now.at
           FROM (SELECT job_id, accepted_at FROM jobs
                 WHERE finished_at IS NULL AND (accepted_at, job_id) > (%(after_at)s, %(after_id)s)
                   AND accepted_at < (SELECT clock_timestamp()) - make_interval(secs => %(age)s)
                 ORDER BY accepted_at, job_id LIMIT %(most)s) j
           JOIN claims c USING (job_id)
           LEFT JOIN cancellations x USING (job_id)
           CROSS JOIN LATERAL (
             SELECT count(*)::int AS rows, max(finished_at) AS last,
               count(*) FILTER (WHERE state IN ('succeeded', 'failed', 'canceled'))::int AS ended
             FROM variations WHERE job_id = j.job_id) v
           CROSS JOIN (SELECT clock_timestamp() AS at) now
           ORDER BY j.accepted_at, j.job_id""",
        {"age": older_than_seconds, "after_at": after.accepted_at, "after_id": after.job_id, "most": most},
        binary=True,
    )
    return [RunningJob(Place(*row[:2]), *row[2:]) for row in rows]


def add_missing(connection: Connection, job_ids: Sequence[uuid.UUID]) -> int:
    """none -> pending for the variations that these jobs lack. Only while they run uncanceled. Returns how many."""
    cursor = connection.execute(
        """INSERT INTO variations (job_id, variation_index, org_id, state, deadline_at)
           SELECT c.job_id, i, c.org_id, 'pending', c.deadline_at
           FROM claims c JOIN jobs j USING (job_id) CROSS JOIN generate_series(0, c.variations - 1) AS i
           WHERE c.job_id = ANY(%s::uuid[]) AND j.status = 'running'
             AND NOT EXISTS (SELECT FROM cancellations x WHERE x.job_id = c.job_id)
           ON CONFLICT (job_id, variation_index) DO NOTHING""",
        (sorted(job_ids),),
    )
    return cursor.rowcount


def fail_late(connection: Connection, job_ids: Sequence[uuid.UUID]) -> list[Ended]:
    """pending | leased -> failed DEADLINE_EXCEEDED where the deadline has passed.

    What is locked may be ending by itself: the next sweep looks again.
    """
    rows = connection.execute(
        """UPDATE variations v SET state = 'failed', attempt = v.attempt + 1, lease_until = NULL, worker_id = NULL,
             step = NULL, finished_at = clock_timestamp(), error_code = 'DEADLINE_EXCEEDED',
             error_message = 'The variation did not end before the job''s deadline.'
           FROM (SELECT job_id, variation_index FROM variations
                 WHERE job_id = ANY(%s::uuid[]) AND state IN ('pending', 'leased') AND deadline_at < clock_timestamp()
                 FOR UPDATE SKIP LOCKED) late
           WHERE v.job_id = late.job_id AND v.variation_index = late.variation_index
           RETURNING v.job_id, v.variation_index""",
        (sorted(job_ids),),
    )
    return _ended(connection, list(rows))


def purge_idempotency_keys(connection: Connection) -> int:
    """Delete some of those that have run out. Returns how many. What dedup takes over at this moment is left alone."""
    cursor = connection.execute(
        """DELETE FROM idempotency_keys k
           USING (SELECT org_id, idempotency_key FROM idempotency_keys
                  WHERE accepted_at <= (SELECT clock_timestamp()) - make_interval(hours => %s)
                  ORDER BY accepted_at LIMIT %s FOR UPDATE SKIP LOCKED) over
           WHERE k.org_id = over.org_id AND k.idempotency_key = over.idempotency_key""",
        (IDEMPOTENCY_KEY_HOURS, _CHUNK),
    )
    return cursor.rowcount


def _ended(connection: Connection, rows: Sequence[tuple[uuid.UUID, int]]) -> list[Ended]:
    if not rows:
        return []
    places = material.containers(connection, list({job_id for job_id, _ in rows}))
    indexes: dict[uuid.UUID, list[int]] = {}
    for job_id, index in rows:
        indexes.setdefault(job_id, []).append(index)
    return [Ended(job_id, *places[job_id][1:], tuple(sorted(found))) for job_id, found in indexes.items()]
