"""What the sweeper repairs: work whose owner vanished, and records that were lost between two topics.

Each function is one bounded step inside the sweeper's transaction. With these, every topic after clone.requests could
be lost and every job would still end.
"""

import uuid
from typing import Final

from storage import variations
from storage.connection import Connection
from storage.variations import Ended

# Never change while several releases run side by side: it keeps the sweepers of all processes from working at once.
_SWEEPER_LOCK: Final = 7_310_482_955
MAX_LOSSES: Final = 3
_CHUNK: Final = 1_000


def take_turn(connection: Connection) -> bool:
    """Whether this transaction is the one sweeper; false when another process is sweeping now."""
    row = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (_SWEEPER_LOCK,)).fetchone()
    return bool(row and row[0])


def requeue_lost(connection: Connection) -> int:
    """leased -> pending where the lease has run out: its worker vanished. Counts the loss; returns how many.

    The attempt number is not freed: the vanished worker may come back, and its write must match nothing.
    """
    cursor = connection.execute(
        """UPDATE variations v SET state = 'pending', losses = v.losses + 1, lease_until = NULL, worker_id = NULL,
             step = NULL, not_before = clock_timestamp()
           FROM (SELECT job_id, variation_index FROM variations
                 WHERE state = 'leased' AND lease_until < clock_timestamp() AND losses < %s
                 ORDER BY lease_until LIMIT %s FOR UPDATE SKIP LOCKED) lost
           WHERE v.job_id = lost.job_id AND v.variation_index = lost.variation_index""",
        (MAX_LOSSES - 1, _CHUNK),
    )
    return cursor.rowcount


def fail_hopeless(connection: Connection) -> list[Ended]:
    """pending | leased -> failed where the deadline has passed, or where the third worker vanished."""
    rows = connection.execute(
        """UPDATE variations v SET state = 'failed', attempt = v.attempt + 1, lease_until = NULL, worker_id = NULL,
             step = NULL, finished_at = clock_timestamp(),
             losses = v.losses + CASE WHEN h.late THEN 0 ELSE 1 END,
             error_code = CASE WHEN h.late THEN 'DEADLINE_EXCEEDED' ELSE 'WORKER_LOST' END,
             error_message = CASE WHEN h.late THEN 'The variation did not end before the job''s deadline.'
                                  ELSE 'The workers of three attempts vanished.' END
           FROM (SELECT job_id, variation_index, deadline_at < clock_timestamp() AS late FROM variations
                 WHERE (state = 'pending' AND deadline_at < clock_timestamp())
                    OR (state = 'leased' AND (deadline_at < clock_timestamp()
                                              OR (lease_until < clock_timestamp() AND losses >= %s)))
                 LIMIT %s FOR UPDATE SKIP LOCKED) h
           WHERE v.job_id = h.job_id AND v.variation_index = h.variation_index
           RETURNING v.job_id, v.variation_index""",
        (MAX_LOSSES - 1, _CHUNK),
    )
    return _ended(connection, [(job_id, index) for job_id, index in rows])


def add_missing(connection: Connection, *, older_than_seconds: float) -> int:
    """none -> pending for running jobs whose admission was lost on its way. Returns how many."""
    cursor = connection.execute(
        """INSERT INTO variations (job_id, variation_index, org_id, state, deadline_at)
           SELECT c.job_id, i, c.org_id, 'pending', c.deadline_at
           FROM (SELECT job_id FROM jobs j
                 WHERE j.status = 'running' AND j.accepted_at < clock_timestamp() - make_interval(secs => %s)
                   AND NOT EXISTS (SELECT FROM variations v WHERE v.job_id = j.job_id)
                   AND NOT EXISTS (SELECT FROM cancellations x WHERE x.job_id = j.job_id)
                 ORDER BY j.accepted_at LIMIT %s) lost
           JOIN claims c USING (job_id) CROSS JOIN generate_series(0, c.variations - 1) AS i
           ON CONFLICT (job_id, variation_index) DO NOTHING""",
        (older_than_seconds, _CHUNK),
    )
    return cursor.rowcount


def cancel_forgotten(connection: Connection, *, older_than_seconds: float) -> list[Ended]:
    """Apply accepted cancels whose CloneCanceled was lost on its way."""
    rows = connection.execute(
        """SELECT x.job_id FROM cancellations x JOIN jobs j USING (job_id) JOIN claims c USING (job_id)
           WHERE j.status = 'running' AND x.canceled_at < clock_timestamp() - make_interval(secs => %s)
             AND (SELECT count(*) FROM variations v WHERE v.job_id = x.job_id
                  AND v.state IN ('succeeded', 'failed', 'canceled')) < c.variations
           LIMIT %s""",
        (older_than_seconds, _CHUNK),
    ).fetchall()
    job_ids = [job_id for (job_id,) in rows]
    if job_ids:
        variations.cancel(connection, job_ids)
    return _ended(connection, [(job_id, None) for job_id in job_ids])


def unprojected(connection: Connection, *, older_than_seconds: float) -> list[Ended]:
    """Running jobs all of whose variations ended a while ago: their results were lost on the way to the projector."""
    rows = connection.execute(
        """SELECT j.job_id FROM jobs j JOIN claims c USING (job_id)
           JOIN LATERAL (SELECT count(*) AS ended, max(v.finished_at) AS last FROM variations v
                         WHERE v.job_id = j.job_id AND v.state IN ('succeeded', 'failed', 'canceled')) e ON true
           WHERE j.status = 'running' AND e.ended = c.variations
             AND j.accepted_at < clock_timestamp() - make_interval(secs => %(age)s)
             AND e.last < clock_timestamp() - make_interval(secs => %(age)s)
           ORDER BY j.accepted_at LIMIT %(most)s""",
        {"age": older_than_seconds, "most": _CHUNK},
    ).fetchall()
    return _ended(connection, [(job_id, None) for (job_id,) in rows])


def _ended(connection: Connection, rows: list[tuple[uuid.UUID, int | None]]) -> list[Ended]:
    if not rows:
        return []
    places = variations.containers(connection, list({job_id for job_id, _ in rows}))
    indexes: dict[uuid.UUID, list[int]] = {}
    for job_id, index in rows:
        indexes.setdefault(job_id, []).extend(() if index is None else (index,))
    return [Ended(job_id, *places[job_id], tuple(sorted(found))) for job_id, found in indexes.items()]
