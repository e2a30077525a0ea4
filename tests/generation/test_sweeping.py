"""Each duty of the sweeper, and what it must leave alone."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.generation.diagnose import diagnose
from consumers.generation.sweeper import Sweeper
from runtime.errors import BrokerUnavailable
from runtime.publishing import Outgoing
from storage import sweeping, variations
from storage.connection import Database
from storage.sweeping import Place, RunningJob
from tests.dedup.stage import Recorder
from tests.generation.records import news
from tests.generation.test_transitions import claim, do, failure, fan_out, success
from tests.generation.world import Jobs


class Sweeping:
    """A sweeper whose sweeps a test starts, and what it published and woke."""

    def __init__(self, database: Database, recorder: Recorder) -> None:
        self.recorder = recorder
        self.woken = 0
        self.database = database
        self.sweeper = self.new(lease_seconds=0.0)

    def new(self, *, lease_seconds: float, publisher: Any = None, **changes: float) -> Sweeper:
        return Sweeper(
            self.database,
            publisher or self.recorder,
            sweep_seconds=3_600,
            lease_seconds=lease_seconds,
            topic_prefix="",
            expect_pending=self._wake,
            on_death=lambda name: None,
            **changes,
        )

    def __call__(self) -> list[tuple[uuid.UUID, tuple[int, ...]]]:
        before = len(self.recorder.records)
        self.sweeper.sweep()
        return news(self.recorder.records[before:])

    def _wake(self) -> None:
        self.woken += 1


@pytest.fixture
def sweep(database_url: str, recorder: Recorder) -> Iterator[Sweeping]:
    database = Database(database_url, application_name="test-sweeper")
    yield Sweeping(database, recorder)
    database.close()


def test_an_expired_lease_is_pending_again_and_counted(
    database: Database, jobs: Jobs, sweep: Sweeping, worker_id: uuid.UUID
) -> None:
    job = jobs.accept(variations=2)
    lost, kept = sorted(fan_out(database, job, worker_id)[0])
    jobs.expire_leases(job)
    do(database, variations.renew, [kept], lease_seconds=30.0)
    assert sweep() == []
    rows = jobs.variations(job)
    assert [(row["state"], row["losses"], row["attempt"]) for row in rows] == [("pending", 1, 1), ("leased", 0, 1)]
    assert sweep.woken == 1
    assert claim(database, worker_id) == [], "the next try waits a little"
    jobs.let_start()
    assert [lease.attempt for lease in claim(database, worker_id)] == [2]
    assert do(database, variations.succeed, [success(lost)]) == set()


def test_a_lease_that_ran_out_before_the_last_look_waits_for_a_look_at_all(
    database: Database, jobs: Jobs, sweep: Sweeping, worker_id: uuid.UUID
) -> None:
    sweep()
    job = jobs.accept(variations=1)
    fan_out(database, job, worker_id)
    jobs.execute(
        "UPDATE variations SET lease_until = clock_timestamp() - interval '1 hour' WHERE job_id = %s", job.job_id
    )
    sweep()
    assert jobs.states(job) == ["leased"], "the index is not read from its beginning each time"
    often = sweep.new(lease_seconds=0.0, all_leases_seconds=0.0)
    often.sweep()
    assert jobs.states(job) == ["pending"], "a process that has just started looks at all"
    jobs.execute(
        "UPDATE variations SET state = 'leased', lease_until = clock_timestamp() - interval '1 hour' WHERE job_id = %s",
        job.job_id,
    )
    often.sweep()
    assert [(row["state"], row["losses"]) for row in jobs.variations(job)] == [("pending", 2)], "and again, later"


def test_an_owner_that_is_only_late_may_finish(
    database: Database, jobs: Jobs, sweep: Sweeping, worker_id: uuid.UUID
) -> None:
    job = jobs.accept(variations=1)
    [lease], _ = fan_out(database, job, worker_id)
    jobs.expire_leases(job)
    assert do(database, variations.succeed, [success(lease)]) == {lease}
    sweep()
    assert jobs.states(job) == ["succeeded"]


def test_the_third_loss_fails(database: Database, jobs: Jobs, sweep: Sweeping, worker_id: uuid.UUID) -> None:
    job = jobs.accept(variations=1)
    fan_out(database, job, worker_id)
    for losses in (1, 2):
        jobs.expire_leases(job)
        sweep()
        assert [(row["state"], row["losses"]) for row in jobs.variations(job)] == [("pending", losses)]
        jobs.let_start()
        [lease] = claim(database, worker_id)
    jobs.expire_leases(job)
    assert sweep() == [(job.job_id, (0,))]
    [row] = jobs.variations(job)
    assert (row["state"], row["error_code"], row["losses"]) == ("failed", "WORKER_LOST", 3)
    assert do(database, variations.succeed, [success(lease)]) == set()


def test_leases_are_not_judged_for_one_lease_after_the_start(
    database: Database, jobs: Jobs, sweep: Sweeping, worker_id: uuid.UUID
) -> None:
    once, twice = jobs.accept(variations=1), jobs.accept(variations=1)
    for job in (once, twice):
        fan_out(database, job, worker_id)
        jobs.expire_leases(job)
    jobs.execute("UPDATE variations SET losses = 2 WHERE job_id = %s", twice.job_id)
    sweep.sweeper = sweep.new(lease_seconds=3_600)
    assert sweep() == []
    assert (jobs.states(once), jobs.states(twice)) == (["leased"], ["leased"])


def test_a_passed_deadline_fails_what_has_not_ended(
    database: Database, jobs: Jobs, sweep: Sweeping, worker_id: uuid.UUID
) -> None:
    job = jobs.accept(variations=4, seconds_ago=60, deadline_in_seconds=-1)
    leases, _ = fan_out(database, job, worker_id, room=2)
    done, running = sorted(leases)
    do(database, variations.succeed, [success(done)])
    jobs.execute("DELETE FROM variations WHERE variation_index = 3")
    assert sweep() == [(job.job_id, (1, 2, 3))]
    rows = jobs.variations(job)
    assert [row["error_code"] for row in rows] == [None] + ["DEADLINE_EXCEEDED"] * 3
    assert do(database, variations.succeed, [success(running)]) == set()


def test_a_deadline_to_come_fails_nothing(
    database: Database, jobs: Jobs, sweep: Sweeping, worker_id: uuid.UUID
) -> None:
    job = jobs.accept(seconds_ago=60)
    fan_out(database, job, worker_id, room=1)
    assert sweep() == []
    assert jobs.states(job) == ["leased", "pending", "pending"]


def test_missing_rows_are_added(jobs: Jobs, sweep: Sweeping) -> None:
    job, fresh = jobs.accept(variations=3, seconds_ago=60), jobs.accept(variations=3)
    assert sweep() == []
    assert jobs.states(job) == ["pending"] * 3
    assert jobs.states(fresh) == [], "its CloneAccepted may still be on its way"
    assert sweep.woken == 1


def test_some_missing_rows_are_added(database: Database, jobs: Jobs, sweep: Sweeping, worker_id: uuid.UUID) -> None:
    job = jobs.accept(variations=3, seconds_ago=60)
    fan_out(database, job, worker_id)
    jobs.execute("DELETE FROM variations WHERE variation_index = 1")
    sweep()
    assert jobs.states(job) == ["leased", "pending", "leased"]


def test_a_lost_cancel_takes_effect(database: Database, jobs: Jobs, sweep: Sweeping, worker_id: uuid.UUID) -> None:
    job = jobs.accept(variations=3, seconds_ago=60)
    [lease], _ = fan_out(database, job, worker_id, room=1)
    jobs.execute("DELETE FROM variations WHERE variation_index = 2")
    jobs.cancel(job)
    assert sweep() == []
    assert jobs.states(job) == ["leased", "pending"], "its CloneCanceled may still be on its way"
    jobs.execute("UPDATE cancellations SET canceled_at = canceled_at - interval '60 s'")
    assert sweep() == [(job.job_id, ())]
    assert jobs.states(job) == ["canceled"] * 3
    assert do(database, variations.succeed, [success(lease)]) == set()


def test_a_canceled_job_without_rows_gets_canceled_ones(jobs: Jobs, sweep: Sweeping) -> None:
    job = jobs.accept(variations=2, seconds_ago=60)
    jobs.cancel(job, seconds_ago=60)
    assert sweep() == [(job.job_id, ())]
    assert jobs.states(job) == ["canceled"] * 2


def test_lost_results_are_announced_again(
    database: Database, jobs: Jobs, sweep: Sweeping, worker_id: uuid.UUID
) -> None:
    job = jobs.accept(variations=2, seconds_ago=60)
    one, two = fan_out(database, job, worker_id)[0]
    do(database, variations.succeed, [success(one)])
    do(database, variations.fail, [failure(two)])
    assert sweep() == [], "the projector may still be at it"
    jobs.execute("UPDATE variations SET finished_at = finished_at - interval '60 s'")
    assert sweep() == [(job.job_id, ())]
    assert sweep() == [], "a projector that is behind is not flooded"
    jobs.end_job(job.job_id, "completed")
    sweep.sweeper = sweep.new(lease_seconds=0.0)
    assert sweep() == []


def test_an_announcement_that_fails_is_made_by_a_later_sweep(
    database: Database, jobs: Jobs, sweep: Sweeping, worker_id: uuid.UUID
) -> None:
    class Down:
        def publish(self, records: list[Outgoing]) -> None:
            if records:
                raise BrokerUnavailable("down")

    job = jobs.accept(variations=1, seconds_ago=60)
    fan_out(database, job, worker_id)
    jobs.execute("UPDATE variations SET losses = 2")
    jobs.expire_leases(job)
    failing = sweep.new(lease_seconds=0.0, publisher=Down())
    with pytest.raises(BrokerUnavailable):
        failing.sweep()
    assert jobs.states(job) == ["failed"]
    jobs.execute("UPDATE variations SET finished_at = finished_at - interval '60 s'")
    assert sweep() == [(job.job_id, ())]


def test_an_end_that_stays_untold_is_announced(jobs: Jobs, sweep: Sweeping) -> None:
    told_late, being_told = (jobs.accept(variations=1) for _ in range(2))
    for job, age in ((told_late, "6 s"), (being_told, "0 s")):
        jobs.end_job(job.job_id, "failed")
        jobs.execute(
            "INSERT INTO untold_ends VALUES (gen_random_uuid(), ARRAY[%s::uuid], clock_timestamp() - %s::interval)",
            job.job_id,
            age,
        )
    assert sweep() == [(told_late.job_id, ())]
    assert sweep() == [], "whoever is to tell it has been woken a moment ago"


def test_idempotency_keys_that_have_run_out_are_deleted(jobs: Jobs, sweep: Sweeping, database_url: str) -> None:
    org_id = jobs.organization()
    for key, age in (("fresh", "23 h 59 m"), ("over", "24 h"), ("taken over", "25 h")):
        jobs.execute(
            "INSERT INTO idempotency_keys VALUES (%s, %s, %s, clock_timestamp() - %s::interval)",
            *(org_id, key, uuid.uuid4(), age),
        )
    with psycopg.connect(database_url) as dedup:
        # Another request takes the key at this moment: the sweep neither waits for it nor deletes what it becomes.
        dedup.execute("UPDATE idempotency_keys SET accepted_at = now() WHERE idempotency_key = 'taken over'")
        sweep()
    sweep()
    assert {row["idempotency_key"] for row in jobs.rows("SELECT * FROM idempotency_keys")} == {"fresh", "taken over"}


def test_one_process_sweeps_at_a_time(database: Database, jobs: Jobs, sweep: Sweeping) -> None:
    job = jobs.accept(seconds_ago=60)
    with database.transaction() as connection:
        assert sweeping.take_turn(connection)
        sweep()
        assert jobs.states(job) == []
    sweep()
    assert jobs.states(job) == ["pending"] * 3


def test_the_walk_comes_to_every_running_job(database: Database, jobs: Jobs) -> None:
    project = jobs.branded()
    made = {jobs.accept(project, variations=1, seconds_ago=60).job_id for _ in range(7)}
    ended = jobs.accept(project, variations=1, seconds_ago=60)
    jobs.end_job(ended.job_id, "failed")
    seen, after = [], sweeping.WALK_START
    while chunk := do(database, sweeping.running_jobs, after=after, older_than_seconds=5.0, most=3):
        assert len(chunk) <= 3
        seen += [job.place.job_id for job in chunk]
        after = chunk[-1].place
    assert sorted(seen) == sorted(made)


_JOBS = st.builds(
    RunningJob,
    place=st.just(Place(datetime(2026, 1, 1, tzinfo=UTC), uuid.UUID(int=1))),
    container_id=st.uuids(),
    traceparent=st.none(),
    requested=st.integers(1, 4),
    rows=st.integers(0, 4),
    ended=st.integers(0, 4),
    quiet=st.booleans(),
    canceled=st.booleans(),
    cancel_overdue=st.booleans(),
    late=st.booleans(),
).filter(lambda job: job.ended <= job.rows <= job.requested and job.canceled >= job.cancel_overdue)


@given(_JOBS)
def test_every_job_that_cannot_move_is_repaired(job: RunningJob) -> None:
    repairs = diagnose([job])
    stuck_for_good = (job.ended == job.requested and job.quiet) or (
        job.ended < job.requested
        and (job.cancel_overdue or (not job.canceled and (job.late or job.rows < job.requested)))
    )
    repaired = bool(repairs.cancel or repairs.add_missing or repairs.fail_late or repairs.announce)
    assert repaired == stuck_for_good
    if job.canceled:
        assert not repairs.add_missing
        assert not repairs.fail_late
