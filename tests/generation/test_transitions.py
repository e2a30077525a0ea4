"""Every transition of a variation, and the states and attempts that it must leave alone."""

import uuid
from collections.abc import Callable
from typing import Any, Final

import pytest

from storage import variations
from storage.connection import Connection, Database
from storage.variations import Failure, Lease, Success
from tests.generation.world import Job, Jobs

LEASE: Final = 30.0


def success(lease: Lease, hook: str = "Hi.") -> Success:
    return Success(lease, "question", "demo", 9_000, f'{{"hook": "{hook}"}}', '{"generator": "test/1"}')


def failure(lease: Lease) -> Failure:
    return Failure(lease, "PROVIDER_ERROR", "It failed.", "{}")


def fan_out(database: Database, job: Job, worker_id: uuid.UUID, *, room: int = 100) -> tuple[list[Lease], int]:
    with database.transaction() as connection:
        return variations.fan_out(connection, [job.job_id], room=room, worker_id=worker_id, lease_seconds=LEASE)


def claim(database: Database, worker_id: uuid.UUID, slots: int = 100) -> list[Lease]:
    with database.transaction() as connection:
        claimed = variations.claim(
            connection, slots=slots, worker_id=worker_id, lease_seconds=LEASE, after=uuid.UUID(int=0)
        )
    return sorted(one.lease for one in claimed)


def do(database: Database, transition: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    with database.transaction() as connection:
        return transition(connection, *arguments, **named)


def test_fan_out_leases_what_there_is_room_for(database: Database, jobs: Jobs, worker_id: uuid.UUID) -> None:
    job = jobs.accept(variations=5)
    leases, pending = fan_out(database, job, worker_id, room=2)
    assert [(lease.index, lease.attempt) for lease in sorted(leases)] == [(0, 1), (1, 1)]
    assert pending == 3
    rows = jobs.variations(job)
    assert [row["state"] for row in rows] == ["leased"] * 2 + ["pending"] * 3
    assert [row["worker_id"] for row in rows] == [worker_id] * 2 + [None] * 3
    assert [row["attempt"] for row in rows] == [1, 1, 0, 0, 0]


def test_fan_out_again_changes_nothing(database: Database, jobs: Jobs, worker_id: uuid.UUID) -> None:
    job = jobs.accept()
    fan_out(database, job, worker_id)
    before = jobs.variations(job)
    assert fan_out(database, job, uuid.uuid4()) == ([], 0)
    assert jobs.variations(job) == before


def test_fan_out_fills_only_what_is_missing(database: Database, jobs: Jobs, worker_id: uuid.UUID) -> None:
    job = jobs.accept()
    fan_out(database, job, worker_id)
    jobs.execute("DELETE FROM variations WHERE job_id = %s AND variation_index = 1", job.job_id)
    leases, pending = fan_out(database, job, worker_id)
    assert [lease.index for lease in leases] == [1]
    assert pending == 0


@pytest.mark.parametrize("status", ["completed", "failed", "canceled"])
def test_an_ended_job_gets_no_rows(database: Database, jobs: Jobs, worker_id: uuid.UUID, status: str) -> None:
    job = jobs.accept()
    jobs.end_job(job.job_id, status)
    assert fan_out(database, job, worker_id) == ([], 0)
    assert jobs.states(job) == []


def test_a_job_that_is_being_canceled_or_is_unknown_gets_no_rows(
    database: Database, jobs: Jobs, worker_id: uuid.UUID
) -> None:
    job = jobs.accept()
    jobs.cancel(job)
    assert fan_out(database, job, worker_id) == ([], 0)
    assert fan_out(database, Job(uuid.uuid4(), job.org_id, uuid.uuid4(), 1), worker_id) == ([], 0)
    assert jobs.count("variations") == 0


def test_a_claim_leases_with_the_next_attempt(database: Database, jobs: Jobs, worker_id: uuid.UUID) -> None:
    job = jobs.accept()
    fan_out(database, job, worker_id, room=0)
    first = claim(database, worker_id, slots=2)
    assert [lease.attempt for lease in first] == [1, 1]
    assert len(claim(database, worker_id)) == 1
    assert claim(database, worker_id) == []
    do(database, variations.put_back, [(first[0], 0.0)], retry=False)
    assert claim(database, worker_id) == [Lease(job.job_id, first[0].index, 2)]


def test_a_success_is_taken_once_and_never_changes(database: Database, jobs: Jobs, worker_id: uuid.UUID) -> None:
    job = jobs.accept(variations=1)
    [lease], _ = fan_out(database, job, worker_id)
    assert do(database, variations.succeed, [success(lease)]) == {lease}
    [row] = jobs.variations(job)
    assert (row["state"], row["creative"], row["provenance"]) == ("succeeded", {"hook": "Hi."}, {"generator": "test/1"})
    assert (row["hook_shape"], row["visual_format"], row["duration_ms"]) == ("question", "demo", 9_000)
    assert row["finished_at"] is not None
    assert row["lease_until"] is None
    everything_that_comes_late(database, job, lease)
    jobs.cancel(job)
    do(database, variations.cancel, [job.job_id])
    assert jobs.variations(job) == [row]


def test_a_failure_is_taken_once_and_never_changes(database: Database, jobs: Jobs, worker_id: uuid.UUID) -> None:
    job = jobs.accept(variations=1)
    [lease], _ = fan_out(database, job, worker_id)
    assert do(database, variations.fail, [failure(lease)]) == {lease}
    [row] = jobs.variations(job)
    assert (row["state"], row["error_code"], row["error_message"]) == ("failed", "PROVIDER_ERROR", "It failed.")
    everything_that_comes_late(database, job, lease)
    assert jobs.variations(job) == [row]


def test_a_stale_attempt_matches_nothing(database: Database, jobs: Jobs, worker_id: uuid.UUID) -> None:
    job = jobs.accept(variations=1)
    [stale], _ = fan_out(database, job, worker_id)
    do(database, variations.put_back, [(stale, 0.0)], retry=False)
    everything_that_comes_late(database, job, stale)
    [current] = claim(database, uuid.uuid4())
    assert current.attempt == 2
    [row] = jobs.variations(job)
    everything_that_comes_late(database, job, stale)
    assert jobs.variations(job) == [row]
    assert do(database, variations.succeed, [success(current, "Second.")]) == {current}
    assert jobs.variations(job)[0]["creative"] == {"hook": "Second."}


def everything_that_comes_late(database: Database, job: Job, lease: Lease) -> None:
    """Each write of an attempt that is over, and a claim where nothing is to be claimed."""
    before = _rows(database, job)
    assert do(database, variations.succeed, [success(lease, "Late.")]) == set()
    assert do(database, variations.fail, [failure(lease)]) == set()
    assert do(database, variations.renew, [lease], lease_seconds=LEASE) == set()
    do(database, variations.put_back, [(lease, 5.0)], retry=False)
    do(database, variations.mark_steps, [(lease, "rendering")])
    assert _rows(database, job) == before


def _rows(database: Database, job: Job) -> list[Any]:
    def read(connection: Connection) -> list[Any]:
        return connection.execute("SELECT * FROM variations WHERE job_id = %s", (job.job_id,)).fetchall()

    return list(do(database, read))


def test_a_renewal_keeps_what_is_held(database: Database, jobs: Jobs, worker_id: uuid.UUID) -> None:
    job = jobs.accept(variations=2)
    leases, _ = fan_out(database, job, worker_id)
    jobs.expire_leases(job)
    kept, gone = sorted(leases)
    do(database, variations.succeed, [success(gone)])
    assert do(database, variations.renew, leases, lease_seconds=LEASE) == {kept}
    row = jobs.rows(
        "SELECT lease_until > clock_timestamp() + interval '20 s' AS renewed FROM variations WHERE state = 'leased'"
    )
    assert row == [{"renewed": True}]


def test_a_retry_waits(database: Database, jobs: Jobs, worker_id: uuid.UUID) -> None:
    job = jobs.accept(variations=1)
    [lease], _ = fan_out(database, job, worker_id)
    do(database, variations.put_back, [(lease, 60.0)], retry=True)
    [row] = jobs.variations(job)
    assert (row["state"], row["attempt"], row["losses"], row["retries"]) == ("pending", 1, 0, 1)
    assert row["worker_id"] is None
    assert claim(database, worker_id) == []
    jobs.let_start()
    assert [lease.attempt for lease in claim(database, worker_id)] == [2]


def test_a_cancel_ends_what_has_not_ended(database: Database, jobs: Jobs, worker_id: uuid.UUID) -> None:
    job = jobs.accept(variations=4)
    leases, _ = fan_out(database, job, worker_id, room=3)
    done, failed, running = sorted(leases)
    do(database, variations.succeed, [success(done)])
    do(database, variations.fail, [failure(failed)])
    jobs.cancel(job)
    do(database, variations.cancel, [job.job_id])
    assert jobs.states(job) == ["succeeded", "failed", "canceled", "canceled"]
    assert jobs.variations(job)[2]["attempt"] == running.attempt + 1
    assert do(database, variations.succeed, [success(running)]) == set()
    assert do(database, variations.renew, [running], lease_seconds=LEASE) == set()
    assert claim(database, worker_id) == []


def test_a_cancel_before_the_fan_out_leaves_canceled_rows(database: Database, jobs: Jobs, worker_id: uuid.UUID) -> None:
    job = jobs.accept(variations=2)
    jobs.cancel(job)
    do(database, variations.cancel, [job.job_id])
    assert jobs.states(job) == ["canceled", "canceled"]
    assert fan_out(database, job, worker_id) == ([], 0)
    assert jobs.states(job) == ["canceled", "canceled"]


def test_no_cancel_without_an_accepted_one(database: Database, jobs: Jobs, worker_id: uuid.UUID) -> None:
    job = jobs.accept()
    fan_out(database, job, worker_id, room=1)
    do(database, variations.cancel, [job.job_id])
    assert jobs.states(job) == ["leased", "pending", "pending"]


def test_steps_are_shown_while_leased(database: Database, jobs: Jobs, worker_id: uuid.UUID) -> None:
    job = jobs.accept(variations=1)
    [lease], _ = fan_out(database, job, worker_id)
    do(database, variations.mark_steps, [(lease, "generating")])
    assert jobs.variations(job)[0]["step"] == "generating"
    do(database, variations.succeed, [success(lease)])
    assert jobs.variations(job)[0]["step"] is None
