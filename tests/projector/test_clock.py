"""A job's end and its variations' ends are told by one clock, in the order in which they happened."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import psycopg

from storage import projection
from storage.connection import Database
from tests.awaiting import eventually
from tests.builders import Rows

WAITS_FOR_VARIATIONS = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'variations'::regclass"


def test_a_job_never_ends_before_a_variation_that_it_counts(database_url: str, database: Database) -> None:
    with (
        psycopg.connect(database_url, autocommit=True) as connection,
        psycopg.connect(database_url) as worker,
        ThreadPoolExecutor(1) as pool,
    ):
        rows = Rows(connection)
        job = rows.job(rows.brand())
        rows.variation(job, 0, "leased")
        # The worker's commit falls between the projector's lock of the job and its reading of the variations.
        worker.execute("LOCK TABLE variations IN ACCESS EXCLUSIVE MODE")
        reading = pool.submit(_read, database, job.job_id)
        eventually(lambda: connection.execute(WAITS_FOR_VARIATIONS).fetchone() is not None, what="the projector waits")
        worker.execute(
            "UPDATE variations SET state = 'succeeded', lease_until = NULL, creative = '{}', "
            "finished_at = clock_timestamp()"
        )
        worker.commit()
        now_ms, (facts,) = reading.result()
        ended_ms = rows.one("SELECT (extract(epoch FROM finished_at) * 1000)::bigint FROM variations")
    assert [variation.state for variation in facts.variations] == ["succeeded"]
    assert now_ms >= ended_ms


def _read(database: Database, job_id: uuid.UUID) -> tuple[int, list[projection.Facts]]:
    with database.transaction() as connection:
        return projection.read(connection, [job_id])
