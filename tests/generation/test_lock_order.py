"""Transactions that end the same variations lock them in one order: none holds what the other waits for."""

import queue
import threading
import uuid
from collections.abc import Callable, Sequence

import psycopg
import pytest
from psycopg.errors import LockNotAvailable

from consumers.generation.committer import Committer
from consumers.generation.results import Outcome
from consumers.generation.tasks import Held, Task
from consumers.generation.workers import Outcomes
from storage import sweeping, variations
from storage.connection import Database
from storage.variations import Failure, Lease, Success
from tests.awaiting import eventually
from tests.dedup.stage import Recorder
from tests.generation.world import Job, Jobs

_ONE = "SELECT FROM variations WHERE job_id = %s AND variation_index = %s FOR UPDATE"


@pytest.fixture
def two(jobs: Jobs, database: Database, worker_id: uuid.UUID) -> Sequence[tuple[Job, Lease]]:
    """Two jobs of one leased variation, by key. The later key was written first, where a table would be read first."""
    made = sorted((jobs.accept(variations=1) for _ in range(2)), key=lambda job: job.job_id)
    found = []
    for job in reversed(made):
        with database.transaction() as connection:
            leases, _ = variations.fan_out(connection, [job.job_id], room=1, worker_id=worker_id, lease_seconds=60)
        found.append((job, leases[0]))
    return found[::-1]


def while_waiting(
    jobs: Jobs, database_url: str, held: Lease, work: Callable[[], None], look: Callable[[], None]
) -> None:
    """Look while `work` waits for the variation that somebody else holds."""
    with psycopg.connect(database_url) as somebody:
        somebody.execute(_ONE, held[:2])
        working = threading.Thread(target=work)
        working.start()
        waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        eventually(lambda: jobs.rows(waits), what="the work waits for the variation")
        look()
        somebody.rollback()
        working.join()


def assert_free(database_url: str, lease: Lease) -> None:
    with psycopg.connect(database_url) as connection:
        try:
            connection.execute(f"{_ONE} NOWAIT", lease[:2])
        except LockNotAvailable:
            pytest.fail("it holds a later variation while it waits for an earlier one")


def test_results_of_several_kinds_wait_for_the_first_before_they_hold_the_second(
    two: Sequence[tuple[Job, Lease]], jobs: Jobs, database_url: str, recorder: Recorder
) -> None:
    (first_job, first), (second_job, second) = two
    outcomes: Outcomes = queue.SimpleQueue()
    database = Database(database_url, application_name="test-committer")
    committer = Committer(
        database, recorder, Held(), outcomes, topic_prefix="", slots_freed=lambda: None, renders=False
    )
    task = Task(first, first_job.org_id, first_job.container_id, None, None)
    other = Task(second, second_job.org_id, second_job.container_id, None, None)
    # The success would be written first, then the failure.
    outcomes.put(
        [
            Outcome(task, Failure(first, "PROVIDER_ERROR", "It failed.", "{}")),
            Outcome(other, Success(second, "question", "demo", 9_000, "{}", "{}")),
        ]
    )
    committer.stop(60)
    while_waiting(jobs, database_url, first, committer.run, lambda: assert_free(database_url, second))
    assert [row["state"] for row in jobs.variations(first_job) + jobs.variations(second_job)] == ["failed", "succeeded"]


def test_a_cancel_waits_for_the_first_before_it_holds_the_second(
    two: Sequence[tuple[Job, Lease]], jobs: Jobs, database: Database, database_url: str
) -> None:
    (first_job, first), (second_job, second) = two
    for job in (second_job, first_job):
        jobs.cancel(job)

    def work() -> None:
        with database.transaction() as connection:
            variations.cancel(connection, [second_job.job_id, first_job.job_id])

    while_waiting(jobs, database_url, first, work, lambda: assert_free(database_url, second))
    assert [row["state"] for row in jobs.variations(first_job) + jobs.variations(second_job)] == ["canceled"] * 2


def test_a_sweep_passes_over_a_late_variation_that_is_ending(
    jobs: Jobs, database: Database, database_url: str, worker_id: uuid.UUID
) -> None:
    job = jobs.accept(variations=2, deadline_in_seconds=-1)
    with database.transaction() as connection:
        leases, _ = variations.fan_out(connection, [job.job_id], room=2, worker_id=worker_id, lease_seconds=60)
    with psycopg.connect(database_url) as somebody:
        somebody.execute(_ONE, min(leases)[:2])
        with database.transaction() as connection:
            (ended,) = sweeping.fail_late(connection, [job.job_id])
        assert ended.indexes == (1,)
    with database.transaction() as connection:
        (ended,) = sweeping.fail_late(connection, [job.job_id])
    assert ended.indexes == (0,)
