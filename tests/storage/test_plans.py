"""Plans that were made while a table was empty still find rows by their keys: a new system has no statistics."""

import uuid

from storage import variations
from storage.connection import Connection, Database
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


def rows_read(connection: Connection) -> int:
    """Rows of `variations` that this transaction has looked at, whole table or by index."""
    row = connection.execute(
        "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'variations'"
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


def _success(lease: Lease) -> Success:
    return Success(lease, "question", "demo", 1_000, "{}", "{}")
