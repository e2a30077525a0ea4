"""Plans that were made while a table was empty still find rows by their keys: a new system has no statistics."""

import math
import uuid
from contextlib import closing

import pytest

from storage import outbox, projection, variations
from storage.connection import Connection, Database
from storage.projection import JobChange
from storage.variations import Lease, Success

ROWS = 2_000
# psycopg prepares a statement at its sixth use, and Postgres settles on one plan for it five uses later.
USES = 15


def leased(connection: Connection, count: int) -> list[Lease]:
    """That many leased variations, of jobs of their own; nothing has counted the rows since."""
    jobs = [uuid.uuid4() for _ in range(count)]
    connection.execute(
        """INSERT INTO variations (job_id, variation_index, org_id, state, attempt, lease_until, worker_id, deadline_at)
           SELECT job_id, 0, gen_random_uuid(), 'leased', 1, clock_timestamp() + interval '1 hour', gen_random_uuid(),
             clock_timestamp() + interval '1 hour' FROM unnest(%s::uuid[]) AS new (job_id)""",
        (jobs,),
    )
    return [Lease(job_id, 0, 1) for job_id in jobs]


def running(connection: Connection, count: int) -> list[uuid.UUID]:
    """That many running jobs of one organisation, which has one source post."""
    jobs = [uuid.uuid4() for _ in range(count)]
    connection.execute(
        """WITH org AS (INSERT INTO organizations (org_id, name) VALUES (gen_random_uuid(), 'Acme') RETURNING org_id),
             post AS (INSERT INTO source_posts (org_id, post_id, platform, external_id, format)
                      SELECT org_id, gen_random_uuid(), 'tiktok', '1', 'video' FROM org RETURNING org_id, post_id),
             claim AS (
               INSERT INTO claims (org_id, container_id, job_id, project_id, layer_id, source_post_id, mode, variations,
                 variation_price, ordinal, requested_by, requested_at, accepted_at, deadline_at, topic_id, partition,
                 record_offset)
               SELECT org_id, gen_random_uuid(), job_id, job_id, job_id, post_id, 'fork', 1, 120, 0, 'test', now(),
                 now(), now() + interval '1 hour', job_id, 0, 0
               FROM post, unnest(%s::uuid[]) AS new (job_id) RETURNING job_id, org_id)
           INSERT INTO jobs (job_id, org_id, accepted_at, updated_at) SELECT job_id, org_id, now(), now() FROM claim""",
        (jobs,),
    )
    return jobs


def rows_read(connection: Connection, table: str = "variations") -> int:
    """Rows of a table that this connection has looked at lately, whole table or by index."""
    row = connection.execute(
        "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = %s", (table,)
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_a_result_is_written_by_its_key_whatever_the_table_held_when_the_plan_was_made(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("ALTER TABLE variations SET (autovacuum_enabled = false)")
    for _ in range(USES):
        with database.transaction() as connection:
            variations.succeed(connection, [_success(Lease(uuid.uuid4(), 0, 1))])
            variations.renew(connection, [Lease(uuid.uuid4(), 0, 1)], lease_seconds=60)
    with database.transaction() as connection:
        leases = leased(connection, ROWS)
    with database.transaction() as connection:
        assert variations.succeed(connection, [_success(lease) for lease in leases[:5]]) == set(leases[:5])
        assert variations.renew(connection, leases[5:10], lease_seconds=60) == set(leases[5:10])
        # Each is found once or twice; reading all of them for one would be two thousand.
        assert rows_read(connection) < 100


@pytest.mark.parametrize("plan_seconds", [0.0, math.inf])
def test_a_job_is_projected_by_its_key_whatever_the_table_held_when_the_plan_was_made(
    database_url: str, plan_seconds: float
) -> None:
    with closing(Database(database_url, application_name="test", plan_seconds=plan_seconds)) as database:
        _project_by_key(database)


def _project_by_key(database: Database) -> None:
    with database.transaction() as connection:
        for table in ("claims", "jobs"):
            connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
        (first,) = running(connection, 1)
    for number in range(USES):
        with database.transaction() as connection:
            projection.read(connection, [first])
            projection.write(connection, uuid.uuid4(), [_moved(first, number)], [], [])
    with database.transaction() as connection:
        jobs = running(connection, ROWS)
    with database.transaction() as connection:
        before = {table: rows_read(connection, table) for table in ("claims", "jobs")}
        assert len(projection.read(connection, jobs[:5])[1]) == 5
        projection.write(connection, uuid.uuid4(), [_moved(job_id, 1) for job_id in jobs[:5]], [], [])
        assert all(rows_read(connection, table) - number < 100 for table, number in before.items())


def test_a_batch_is_not_compared_with_all_that_runs(database: Database) -> None:
    with database.transaction() as connection:
        for table in ("jobs", "variations"):
            connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
        jobs, leases = running(connection, ROWS)[: ROWS // 10], leased(connection, ROWS)[: ROWS // 10]
    with database.transaction() as connection:
        before = {table: rows_read(connection, table) for table in ("jobs", "variations")}
        variations.fan_out(connection, jobs, room=0, worker_id=uuid.uuid4(), lease_seconds=60)
        projection.write(connection, uuid.uuid4(), [_moved(job_id, 1) for job_id in jobs], [], [])
        variations.succeed(connection, [_success(lease) for lease in leases])
        # Each is found once by a statement; all that run would be ten times as many.
        assert rows_read(connection, "jobs") - before["jobs"] == 2 * len(jobs)
        assert rows_read(connection, "variations") - before["variations"] == len(leases)


def test_events_are_marked_by_their_ids_among_all_that_are_unpublished(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("ALTER TABLE outbox SET (autovacuum_enabled = false)")
        outbox.mark_published(connection, [(event_id, 0) for event_id in _events(connection)])
        # It learns that hardly any event is unpublished.
        connection.execute("ANALYZE outbox")
        batch = [(event_id, 0) for event_id in _events(connection)[: ROWS // 10]]
    with database.transaction() as connection:
        before = rows_read(connection, "outbox")
        assert outbox.mark_published(connection, batch) == (len(batch), [])
        # Once to mark it, once or twice to see that it is known.
        assert rows_read(connection, "outbox") - before <= 3 * len(batch)


def _events(connection: Connection) -> list[uuid.UUID]:
    rows = connection.execute(
        """INSERT INTO outbox (event_id, job_id, record_key, record_value, output_partition, created_at)
           SELECT gen_random_uuid(), gen_random_uuid(), 'key', 'value', 0, now() FROM generate_series(1, %s)
           RETURNING event_id""",
        (ROWS,),
    )
    return [event_id for (event_id,) in rows]


def _moved(job_id: uuid.UUID, version: int) -> JobChange:
    return JobChange(job_id, "running", "queued", 0.0, version, at_ms=0, succeeded=0, failed=0, canceled=0)


def _success(lease: Lease) -> Success:
    return Success(lease, "question", "demo", 1_000, "{}", "{}")
