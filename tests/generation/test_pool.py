"""The pool: what is leased is made, committed and announced once, through losses, hangs, outages and stops."""

import math
import threading
import uuid
from dataclasses import replace
from typing import Any

import pytest

from consumers.generation import results
from consumers.generation.generators import GenerationFailed, Made, Order, ReportStep, RetryLater
from consumers.generation.keeper import Renewer
from consumers.generation.pool import Pool
from consumers.generation.tasks import Held, Task
from runtime import failpoint
from runtime.errors import BrokerUnavailable, DatabaseUnavailable
from schemas.errors import ErrorCode
from storage import sweeping, variations
from storage.connection import Connection, Database
from storage.variations import Lease, Success
from tests.awaiting import eventually
from tests.dedup.stage import Recorder
from tests.generation.conftest import NewPool
from tests.generation.records import news
from tests.generation.test_transitions import claim, do, fan_out, success
from tests.generation.world import MADE, Gate, Job, Jobs, Steered, made


def all_ended(jobs: Jobs, job: Job) -> None:
    eventually(
        lambda: set(jobs.states(job)) <= {"succeeded", "failed", "canceled"}, what="every variation of the job ended"
    )


def pending_job(database: Database, jobs: Jobs, variations: int = 3) -> Job:
    job = jobs.accept(variations=variations)
    fan_out(database, job, uuid.uuid4(), room=0)
    return job


def test_pending_work_is_made_and_announced(
    database: Database, jobs: Jobs, new_pool: NewPool, recorder: Recorder
) -> None:
    job = pending_job(database, jobs)
    new_pool(Steered(made))
    all_ended(jobs, job)
    announced = eventually(lambda: _announced(recorder, job, 3), what="all three were announced")
    assert sorted(announced) == [0, 1, 2]
    rows = jobs.variations(job)
    assert [row["creative"] for row in rows] == [MADE.creative] * 3
    assert [row["provenance"] for row in rows] == [{"generator": "steered/1", "attempts": 1}] * 3


def _announced(recorder: Recorder, job: Job, count: int) -> list[int] | None:
    indexes = [index for job_id, found in news(recorder.records) if job_id == job.job_id for index in found]
    return indexes if len(indexes) >= count else None


def test_no_more_is_leased_than_there_is_room_for(database: Database, jobs: Jobs, new_pool: NewPool) -> None:
    gate = Gate()
    job = pending_job(database, jobs, variations=10)
    generator = Steered(gate.make, lease_ahead=5)
    new_pool(generator, concurrency=2)
    eventually(lambda: len(generator.orders) == 2, what="two are being made")
    eventually(lambda: jobs.states(job).count("leased") == 5, what="five are leased")
    gate.opened.set()
    all_ended(jobs, job)


def test_slow_work_takes_only_what_it_can_run(database: Database, jobs: Jobs, new_pool: NewPool) -> None:
    gate = Gate()
    job = pending_job(database, jobs, variations=10)
    generator = Steered(gate.make)
    new_pool(generator, concurrency=3)
    eventually(lambda: len(generator.orders) == 3, what="three are being made")
    assert jobs.states(job).count("leased") == 3
    gate.opened.set()
    all_ended(jobs, job)


def test_failures_and_defects_fail_their_variation_alone(
    database: Database, jobs: Jobs, new_pool: NewPool, recorder: Recorder
) -> None:
    def make(order: Order, report: ReportStep) -> Made:
        if order.index == 0:
            raise GenerationFailed(ErrorCode.QUALITY_GATE, "It misses the bar quoting.")
        if order.index == 1:
            raise ZeroDivisionError
        if order.index == 2:
            return Made("question", "demo", 1, {"hook": "a\x00b"}, {})
        if order.index == 3:
            return Made("question", "demo", 1, {"hook": "\ud800"}, {})
        if order.index == 4:
            return Made("question", "demo", 1, {"hook": "x" * 1_000_000}, {})
        return replace(MADE, provenance={"score": math.nan})

    job = pending_job(database, jobs, variations=6)
    new_pool(Steered(make))
    all_ended(jobs, job)
    rows = jobs.variations(job)
    assert [row["error_code"] for row in rows] == ["QUALITY_GATE", "INTERNAL", "INTERNAL", "INTERNAL", "INTERNAL", None]
    assert rows[0]["error_message"] == "It misses the bar quoting."
    assert "ZeroDivision" not in rows[1]["error_message"]
    assert rows[5]["provenance"]["score"] is None, "Postgres would take no other JSON for it"


UNSTORABLE: dict[str, Any] = {
    "a shape with a NUL": Made("ques\x00tion", "demo", 1, {}, {}),
    "a format of half a character": Made("question", "\ud800", 1, {}, {}),
    "a shape without an end": Made("q" * 10_000, "demo", 1, {}, {}),
    "no shape": Made(None, "demo", 1, {}, {}),  # type: ignore[arg-type]  # a stranger's code is not checked
    "a duration beyond the column": Made("question", "demo", 2**31, {}, {}),
    "a duration before the beginning": Made("question", "demo", -1, {}, {}),
    "no JSON": Made("question", "demo", 1, {"hook": object()}, {}),
    "a provenance without an end": Made("question", "demo", 1, {}, {"log": "x" * 1_000_000}),
    "a message with a NUL": GenerationFailed(ErrorCode.QUALITY_GATE, "It misses\x00."),
    "a code with a NUL": GenerationFailed("QUALITY\x00GATE", "It misses."),
    "a message without an end": GenerationFailed(ErrorCode.QUALITY_GATE, "x" * 100_000),
    "details with a NUL": GenerationFailed(ErrorCode.QUALITY_GATE, "It misses.", {"model": "m\x00"}),
    "a step that is none": "rend\x00ering",
    "a wait without an end": RetryLater(ErrorCode.PROVIDER_ERROR, "Busy.", wait_seconds=float("inf")),
}


def test_what_cannot_be_stored_fails_its_variation_alone(database: Database, jobs: Jobs, new_pool: NewPool) -> None:
    def make(order: Order, report: ReportStep) -> Made:
        given = UNSTORABLE[names[order.job_id]] if order.index == 0 else MADE
        if isinstance(given, Exception):
            raise given
        if isinstance(given, str):
            report(given)  # type: ignore[arg-type]  # a stranger's code is not checked
        return given

    project = jobs.branded()
    made_of = {name: jobs.accept(project, variations=2) for name in UNSTORABLE}
    names = {str(job.job_id): name for name, job in made_of.items()}
    for job in made_of.values():
        fan_out(database, job, uuid.uuid4(), room=0)
    new_pool(Steered(make))
    waiting = made_of.pop("a wait without an end")
    eventually(lambda: sorted(jobs.states(waiting)) == ["pending", "succeeded"], what="one is to be tried again")
    for job in made_of.values():
        all_ended(jobs, job)
    ended = {name: jobs.variations(job) for name, job in made_of.items()}
    codes = {name: [row["error_code"] for row in rows] for name, rows in ended.items()}
    kept = {"details with a NUL": ["QUALITY_GATE", None]}
    assert codes == {name: kept.get(name, ["INTERNAL", None]) for name in made_of}
    assert ended["details with a NUL"][0]["provenance"] == {"generator": "steered/1", "attempts": 1}


def test_what_may_succeed_later_is_tried_five_times(database: Database, jobs: Jobs, new_pool: NewPool) -> None:
    def make(order: Order, report: ReportStep) -> Made:
        if order.index == 0 and order.attempt < 3:
            raise RetryLater(ErrorCode.PROVIDER_ERROR, "Busy.")
        if order.index == 1:
            raise RetryLater(ErrorCode.PROVIDER_ERROR, "Always busy.", wait_seconds=0.5)
        return MADE

    job = pending_job(database, jobs, variations=2)
    generator = Steered(make)
    new_pool(generator)

    def ended() -> bool:
        jobs.let_start()
        return set(jobs.states(job)) == {"succeeded", "failed"}

    eventually(ended, what="one succeeded at last and one failed")
    rows = jobs.variations(job)
    assert [(row["state"], row["attempt"], row["losses"]) for row in rows] == [("succeeded", 3, 0), ("failed", 5, 0)]
    assert (rows[1]["error_code"], rows[1]["error_message"]) == ("PROVIDER_ERROR", "Always busy.")
    assert rows[0]["provenance"]["attempts"] == 3


def test_stops_and_losses_use_no_retry_up(database: Database, jobs: Jobs, new_pool: NewPool) -> None:
    def later(order: Order, report: ReportStep) -> Made:
        raise RetryLater(ErrorCode.PROVIDER_ERROR, "Busy.")

    job = pending_job(database, jobs, variations=1)
    for _ in range(6):
        [lease] = claim(database, uuid.uuid4())
        do(database, variations.put_back, [(lease, 0.0)], retry=False)
    for _ in range(2):
        claim(database, uuid.uuid4())
        jobs.expire_leases(job)
        do(database, sweeping.requeue_lost)
        jobs.let_start()
    generator = Steered(later)
    new_pool(generator)

    def ended() -> bool:
        jobs.let_start()
        return jobs.states(job) == ["failed"]

    eventually(ended, what="it has failed")
    assert [order.retries for order in generator.orders] == [0, 1, 2, 3, 4]
    assert [order.attempt for order in generator.orders] == [9, 10, 11, 12, 13]
    [row] = jobs.variations(job)
    assert (row["attempt"], row["retries"], row["losses"], row["error_code"]) == (13, 4, 2, "PROVIDER_ERROR")


def test_a_retry_is_not_before_what_the_provider_asked_for(database: Database, jobs: Jobs, new_pool: NewPool) -> None:
    def later(order: Order, report: ReportStep) -> Made:
        raise RetryLater(ErrorCode.PROVIDER_ERROR, "Busy.", 100.0 if order.index else None)

    job = pending_job(database, jobs, variations=2)
    new_pool(Steered(later))
    eventually(lambda: [row["retries"] for row in jobs.variations(job)] == [1, 1], what="both wait for their retry")
    [ladder, asked] = jobs.rows(
        """SELECT extract(epoch FROM not_before - clock_timestamp())::float8 AS seconds FROM variations
           WHERE job_id = %s AND state = 'pending' ORDER BY variation_index""",
        job.job_id,
    )
    assert ladder["seconds"] <= 1.25
    assert 60.0 < asked["seconds"] <= 125.0


def test_waits_rise_and_never_undercut_what_the_provider_asked_for() -> None:
    def outcome(retries: int, wait_seconds: float | None) -> float:
        def later(order: Order, report: ReportStep) -> Made:
            raise RetryLater(ErrorCode.PROVIDER_ERROR, "Busy.", wait_seconds)

        # Of twenty attempts most ended with a stop: they do not count.
        task = Task(Lease(uuid.uuid4(), 0, 20), uuid.uuid4(), uuid.uuid4(), None, None, retries)
        result = results.attempt(Steered(later), task).result
        assert isinstance(result, results.PutBack)
        return result.wait_seconds

    assert 1.0 <= outcome(0, None) <= 1.25
    assert 16.0 <= outcome(2, None) <= 20.0
    assert 64.0 <= outcome(3, None) <= 80.0
    assert 90.0 <= outcome(0, 90.0) <= 112.5
    assert 64.0 <= outcome(3, 2.0) <= 80.0
    assert 3_600.0 <= outcome(0, 86_400.0) <= 4_500.0, "an hour, and the jitter"
    assert len({outcome(3, None) for _ in range(20)}) > 1, "a crowd does not come back in step"


def test_a_flood_that_came_first_does_not_hold_another_organisation_up(
    database: Database, jobs: Jobs, new_pool: NewPool
) -> None:
    gate = Gate()
    flood = pending_job(database, jobs, variations=10)
    generator = Steered(gate.make, waits=False, lease_ahead=64)
    pool: Pool = new_pool(generator)
    eventually(lambda: generator.orders, what="the flood is leased as a whole, and its first is being made")
    quiet = pending_job(database, jobs, variations=2)
    pool.expect_pending()
    eventually(lambda: not pool._workers._inbox.empty(), what="the other's are behind it")
    gate.opened.set()
    all_ended(jobs, flood)
    all_ended(jobs, quiet)
    made_for = [uuid.UUID(order.job_id) for order in generator.orders]
    # One of the flood was being made, and then they take turns.
    assert made_for[:6].count(quiet.job_id) == 2, made_for
    assert [order.index for order in generator.orders if order.job_id == str(flood.job_id)] == list(range(10))


def test_a_takeover_wins_over_the_first_owner(
    database: Database, jobs: Jobs, new_pool: NewPool, recorder: Recorder
) -> None:
    gate = Gate()
    job = pending_job(database, jobs, variations=1)
    generator = Steered(gate.make)
    pool: Pool = new_pool(generator)
    eventually(lambda: generator.orders, what="attempt 1 is being made")
    # The owner is frozen past its lease: the sweeper takes the work away, another process claims it.
    jobs.expire_leases(job)
    do(database, sweeping.requeue_lost)
    second = _claimed(database)
    gate.opened.set()
    eventually(lambda: len(pool._held) == 0, what="attempt 1's result was thrown away")
    assert [(row["state"], row["attempt"]) for row in jobs.variations(job)] == [("leased", 2)]
    assert do(database, variations.succeed, [success(second)]) == {second}
    assert news(recorder.records) == []


def test_a_renewal_waits_for_results_that_are_being_written(database: Database, jobs: Jobs, new_pool: NewPool) -> None:
    # Each locks rows in an order of its own: side by side they ended in deadlocks, a second of standing still each.
    gate = Gate()
    met: list[bool] = []
    after: list[threading.Thread] = []
    job = pending_job(database, jobs, variations=3)
    pool: Pool = new_pool(Steered(gate.make))

    def renew_meanwhile() -> None:
        renewal = threading.Thread(target=pool._renewer.renew)
        renewal.start()
        renewal.join(0.2)
        met.append(not renewal.is_alive())
        after.append(renewal)

    eventually(lambda: len(pool._held) == 3, what="they are being made")
    with failpoint.armed("results.written", renew_meanwhile):
        gate.opened.set()
        eventually(lambda: after, what="a renewal met the results")
    after[0].join()
    assert met == [False]
    eventually(
        lambda: [row["state"] for row in jobs.variations(job)] == ["succeeded"] * 3, what="all results are taken"
    )


def _claimed(database: Database) -> Lease:
    """Claim before the pool under test does: in the transaction that makes the row claimable."""
    with database.transaction() as connection:
        connection.execute("UPDATE variations SET not_before = clock_timestamp() WHERE state = 'pending'")
        [(lease, _, _)] = variations.claim(
            connection, slots=1, worker_id=uuid.uuid4(), lease_seconds=30.0, after=uuid.UUID(int=0)
        )
    return lease


def test_leases_are_renewed_while_work_goes_on(database: Database, jobs: Jobs, new_pool: NewPool) -> None:
    gate = Gate()
    job = pending_job(database, jobs, variations=2)
    generator = Steered(gate.make)
    new_pool(generator, lease_seconds=1.0)
    eventually(lambda: len(generator.orders) == 2, what="both are being made")
    first = [row["lease_until"] for row in jobs.variations(job)]
    eventually(
        lambda: all(row["lease_until"] > before for row, before in zip(jobs.variations(job), first, strict=True)),
        what="both leases were renewed",
    )
    gate.opened.set()
    all_ended(jobs, job)
    assert [row["losses"] for row in jobs.variations(job)] == [0, 0]


def test_a_lease_lost_at_renewal_is_let_go(database: Database, jobs: Jobs, worker_id: uuid.UUID) -> None:
    job = jobs.accept(variations=2)
    leases, _ = fan_out(database, job, worker_id)
    held = Held()
    held.add(Task(lease, job.org_id, job.container_id, None, None) for lease in leases)
    lost: list[Task] = []
    renewer = Renewer(database, held, lease_seconds=30.0, lost=lost.extend)
    gone, kept = sorted(leases)
    do(database, variations.put_back, [(gone, 0.0)], retry=False)
    renewer.renew()
    assert [task.lease for task in lost] == [gone]
    assert [task.lease for task in held.snapshot()] == [kept]


def test_a_call_that_never_returns_does_not_cost_a_worker(database: Database, jobs: Jobs, new_pool: NewPool) -> None:
    never = threading.Event()
    started = threading.Event()

    def make(order: Order, report: ReportStep) -> Made:
        if order.job_id == str(hanging.job_id):
            started.set()
            never.wait()
        return MADE

    hanging = jobs.accept(variations=1)
    fan_out(database, hanging, uuid.uuid4(), room=0)
    new_pool(Steered(make), concurrency=1, lease_seconds=0.5)
    assert started.wait(60)
    other = pending_job(database, jobs, variations=2)
    jobs.cancel(hanging)
    do(database, variations.cancel, [hanging.job_id])
    all_ended(jobs, other)
    assert jobs.states(hanging) == ["canceled"]
    never.set()


def test_the_step_of_slow_work_is_shown_and_that_of_fast_work_is_not(
    database: Database, jobs: Jobs, new_pool: NewPool, recorder: Recorder
) -> None:
    gate = Gate()

    def make(order: Order, report: ReportStep) -> Made:
        report("generating")
        return gate.make(order, report) if order.index else MADE

    job = pending_job(database, jobs, variations=2)
    new_pool(Steered(make))
    eventually(lambda: jobs.variations(job)[1]["step"] == "generating", what="the slow one shows its step")
    eventually(lambda: (job.job_id, ()) in news(recorder.records), what="the projector was told to look")
    gate.opened.set()
    all_ended(jobs, job)
    assert [row["step"] for row in jobs.variations(job)] == [None, None]
    told = [indexes for _, indexes in news(recorder.records)]
    assert told.count(()) == 1


def test_a_stop_gives_back_what_has_not_begun_and_finishes_the_rest(
    database: Database, jobs: Jobs, new_pool: NewPool
) -> None:
    gate = Gate()
    job = pending_job(database, jobs, variations=5)
    generator = Steered(gate.make, lease_ahead=5)
    pool: Pool = new_pool(generator, concurrency=2)
    eventually(lambda: len(generator.orders) == 2 and jobs.states(job) == ["leased"] * 5, what="two of five began")
    stopping = threading.Thread(target=pool.stop)
    stopping.start()
    eventually(lambda: jobs.states(job).count("pending") == 3, what="three were given back at once")
    gate.opened.set()
    stopping.join(60)
    rows = jobs.variations(job)
    assert sorted(row["state"] for row in rows) == ["pending"] * 3 + ["succeeded"] * 2
    assert {row["losses"] for row in rows} == {0}
    assert len(claim(database, uuid.uuid4())) == 3


def test_a_stop_gives_back_what_does_not_end(
    database: Database, jobs: Jobs, new_pool: NewPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.generation.pool._FINISH_SECONDS", 0.1)
    gate = Gate()
    job = pending_job(database, jobs, variations=1)
    generator = Steered(gate.make)
    pool: Pool = new_pool(generator)
    eventually(lambda: generator.orders, what="it began")
    pool.stop()
    assert [(row["state"], row["losses"], row["attempt"]) for row in jobs.variations(job)] == [("pending", 0, 1)]
    gate.opened.set()


class Flaky(Recorder):
    """A broker that does not answer until it is repaired."""

    def __init__(self) -> None:
        super().__init__()
        self.down = True
        self.asked = 0

    def publish(self, records: object) -> None:
        self.asked += 1
        if self.down:
            raise BrokerUnavailable("down")
        super().publish(records)  # type: ignore[arg-type]  # as given


def test_a_silent_broker_delays_the_news_and_loses_none(database: Database, jobs: Jobs, new_pool: NewPool) -> None:
    publisher = Flaky()
    job = pending_job(database, jobs, variations=2)
    new_pool(Steered(made), publisher=publisher)
    eventually(lambda: publisher.asked > 3, what="publishing was tried again")
    assert jobs.states(job).count("succeeded") >= 1
    publisher.down = False
    eventually(lambda: _announced(publisher, job, 2), what="both were announced")
    assert jobs.states(job) == ["succeeded"] * 2


def test_results_outlive_a_database_that_does_not_answer(
    database: Database, jobs: Jobs, new_pool: NewPool, monkeypatch: pytest.MonkeyPatch, recorder: Recorder
) -> None:
    real, failures = variations.succeed, iter([True, True])

    def succeed(connection: Connection, outcomes: list[Success]) -> set[Lease]:
        if next(failures, False):
            raise DatabaseUnavailable("down")
        return real(connection, outcomes)

    monkeypatch.setattr(variations, "succeed", succeed)
    job = pending_job(database, jobs, variations=1)
    generator = Steered(made)
    new_pool(generator)
    all_ended(jobs, job)
    assert next(failures, False) is False
    assert len(generator.orders) == 1, "nothing was made twice"
    eventually(lambda: _announced(recorder, job, 1), what="it was announced")


def test_a_commit_whose_answer_was_lost_is_announced_all_the_same(
    database: Database, jobs: Jobs, new_pool: NewPool, monkeypatch: pytest.MonkeyPatch, recorder: Recorder
) -> None:
    real, lost = variations.succeed, iter([True])

    def succeed(connection: Connection, outcomes: list[Success]) -> set[Lease]:
        written = real(connection, outcomes)
        if next(lost, False):
            connection.execute("COMMIT")
            raise DatabaseUnavailable("the answer was lost")
        return written

    monkeypatch.setattr(variations, "succeed", succeed)
    job = pending_job(database, jobs, variations=1)
    new_pool(Steered(made))
    all_ended(jobs, job)
    eventually(lambda: news(recorder.records) == [(job.job_id, ())], what="the job is to be looked at")


def test_a_thread_that_dies_is_noticed(
    database: Database,
    jobs: Jobs,
    new_pool: NewPool,
    monkeypatch: pytest.MonkeyPatch,
    deaths: list[str],
) -> None:
    hooked: list[BaseException | None] = []
    monkeypatch.setattr(threading, "excepthook", lambda arguments: hooked.append(arguments.exc_value))

    def defect(*_: object) -> set[Lease]:
        raise ZeroDivisionError

    monkeypatch.setattr(variations, "succeed", defect)
    pending_job(database, jobs, variations=1)
    new_pool(Steered(made))
    eventually(lambda: deaths == ["committer"], what="the death was reported")
    eventually(lambda: hooked, what="the error was shown")
    deaths.clear()
