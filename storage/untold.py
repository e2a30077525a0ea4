"""Ends of jobs that clone.job-events may not tell yet.

A batch's row is written in the transaction that ends its jobs, and goes when their events are acknowledged. What a dead
process leaves stands until somebody handles a wake-up for it, which the sweeper sends. One row a batch, not a job: it
is written and deleted once for hundreds of jobs.
"""

import uuid
from collections.abc import Collection, Mapping

from storage.arrays import uuids
from storage.connection import Connection
from storage.variations import Ended


def insert(connection: Connection, batch_id: uuid.UUID, job_ids: Collection[uuid.UUID]) -> None:
    """Note that these jobs end in this transaction."""
    connection.execute(
        "INSERT INTO untold_ends (batch_id, job_ids) VALUES (%s, %b::uuid[])", (batch_id, uuids(list(job_ids)))
    )


def among(connection: Connection, job_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    """Those of these jobs whose end may be untold, with the batch that ended them. Lock the jobs first."""
    rows = connection.execute(
        """SELECT e.job_id, u.batch_id FROM untold_ends u CROSS JOIN LATERAL unnest(u.job_ids) AS e (job_id)
           WHERE e.job_id = ANY(%b::uuid[])""",
        (sorted(job_ids),),
        binary=True,
    )
    return dict(rows.fetchall())


def told(connection: Connection, batch_id: uuid.UUID, repeated: Mapping[uuid.UUID, uuid.UUID]) -> None:
    """Forget the batch's row, and in the rows of other batches the jobs that were repeated (job to batch).

    Only for events that were acknowledged.
    """
    with connection.pipeline():
        # A server that crashes may forget this: then the events are told once more.
        connection.execute("SET LOCAL synchronous_commit = off")
        connection.execute("DELETE FROM untold_ends WHERE batch_id = %s", (batch_id,))
        if repeated:
            connection.execute(
                """UPDATE untold_ends u SET job_ids = ARRAY(SELECT unnest(u.job_ids) EXCEPT SELECT unnest(%b::uuid[]))
                   FROM (SELECT batch_id FROM untold_ends WHERE batch_id = ANY(%b::uuid[])
                         ORDER BY batch_id FOR UPDATE) theirs
                   WHERE u.batch_id = theirs.batch_id""",
                (sorted(repeated), sorted(set(repeated.values()))),
            )
            connection.execute(
                "DELETE FROM untold_ends WHERE batch_id = ANY(%b::uuid[]) AND job_ids = '{}'",
                (sorted(set(repeated.values())),),
            )


def overdue(connection: Connection, *, older_than_seconds: float, most: int) -> list[Ended]:
    """The ends that have been untold for so long: whoever was to tell them is dead or frozen. Oldest first."""
    rows = connection.execute(
        """SELECT c.job_id, c.container_id, c.traceparent
           FROM untold_ends u CROSS JOIN LATERAL unnest(u.job_ids) AS e (job_id) JOIN claims c ON c.job_id = e.job_id
           WHERE u.ended_at < (SELECT clock_timestamp()) - make_interval(secs => %s)
           ORDER BY u.ended_at LIMIT %s""",
        (older_than_seconds, most),
        binary=True,
    )
    return [Ended(job_id, container_id, traceparent, ()) for job_id, container_id, traceparent in rows]
