"""The same wake-ups again: after a crash, at once in two processes, in any order. Everything happens once."""

import random
import threading
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from runtime import failpoint
from runtime.errors import BrokerUnavailable
from runtime.publishing import Outgoing
from runtime.record import Batch
from storage.connection import Database
from tests.dedup.records import Read
from tests.dedup.stage import Recorder
from tests.dedup.world import VIDEO_PRICE
from tests.projector.stage import Accepted, Published, Stage, projector, unknown, wake_up


class Crash(Exception):
    """The process ends here."""


def crash() -> None:
    raise Crash


def dying(stage: Stage, at: str, *records: Read) -> Published:
    """What a process publishes that handles these and dies there."""
    before = len(stage.recorder.records)
    with failpoint.armed(at, crash), pytest.raises(Crash):
        stage.redeliver(*records)
    return Published(stage.recorder.records[before:])


def test_redelivery_repeats_the_bytes_headers_and_event_ids(stage: Stage, jobs: Accepted, database: Database) -> None:
    ended = [jobs.reserved(database, variations=2) for _ in range(3)]
    for job, state in zip(ended, ("succeeded", "failed", "canceled"), strict=True):
        jobs.all_end(job, state, "failed")
    records = stage.place(*(wake_up(job, index) for index in range(2) for job in ended))
    first = dying(stage, "project.published", *records)
    rows = [jobs.job(job) for job in ended]
    assert sorted(first.names()) == ["JobCanceled", "JobCompleted", "JobFailed"]
    for again in (records, records[2:], records[3:4]):
        repeated = dying(stage, "project.published", *again).versions()
        assert repeated
        assert all(repeated[job_id].keys() == first.versions()[job_id].keys() for job_id in repeated)
    assert [jobs.job(job) for job in ended] == rows
    assert all(len(jobs.settlements(job)) == 1 for job in ended)


def test_a_crash_between_the_commit_and_the_publish_loses_no_event(
    stage: Stage, jobs: Accepted, database: Database
) -> None:
    job, other = jobs.reserved(database, variations=2), jobs.reserved(database, variations=1)
    jobs.all_end(job, "succeeded", "succeeded")
    records = stage.place(wake_up(job, 0), wake_up(other, 0), wake_up(job, 1))
    assert dying(stage, "project.committed", *records).records == []
    assert jobs.job(job)["status"] == "completed"
    ended = jobs.job(job)

    # The offsets were not committed either. Whichever part of the batch is read first, the event comes.
    for again in ([records[0]], [records[2]]):
        assert dying(stage, "project.published", *again).names() == ["JobCompleted"]
    assert stage.redeliver(*records).names() == ["JobCompleted"]
    assert [set(versions.values()) for versions in Published(stage.recorder.records).versions().values()] == [{3}]
    assert jobs.job(job) == ended
    assert len(jobs.settlements(job)) == len(jobs.outbox(job)) == 1


def test_a_broker_that_does_not_answer_leaves_the_ends_untold(jobs: Accepted, database: Database) -> None:
    job = jobs.reserved(database, variations=1)
    jobs.all_end(job, "succeeded")

    class Down:
        def publish(self, records: Sequence[Outgoing]) -> None:
            raise BrokerUnavailable("no answer")

    with pytest.raises(BrokerUnavailable):
        projector(database, Down()).handle(Batch([wake_up(job, 0).at(0, 0)], {}))
    assert jobs.job(job)["status"] == "completed"
    assert untold(jobs) == {job.job_id}


def test_an_end_that_was_told_is_not_told_again(stage: Stage, jobs: Accepted, database: Database) -> None:
    job = jobs.reserved(database, variations=1)
    jobs.all_end(job, "succeeded")
    batch = stage.place(wake_up(job, 0), unknown(), wake_up(job, 0))
    assert stage.redeliver(*batch).names() == ["JobCompleted"]
    assert stage.redeliver(*batch).records == stage.feed(wake_up(job, 0)).records == []


def test_of_a_dead_process_each_end_stands_until_it_is_told(stage: Stage, jobs: Accepted, database: Database) -> None:
    ended = [jobs.reserved(database, variations=1) for _ in range(3)]
    for job in ended:
        jobs.all_end(job, "succeeded")
    first, second, third = ended
    # Two processes die; then wake-ups come one by one, and the ends of both are told by others.
    dying(stage, "project.committed", *stage.place(wake_up(first, 0), wake_up(second, 0)))
    dying(stage, "project.published", *stage.place(wake_up(third, 0)))
    assert untold(jobs) == {job.job_id for job in ended}
    assert stage.feed(wake_up(second, 0), wake_up(third, 0)).names() == ["JobCompleted"] * 2
    assert untold(jobs) == {first.job_id}
    assert stage.feed(wake_up(second, 0), wake_up(third, 0)).records == []
    assert stage.feed(wake_up(first, 0)).names() == ["JobCompleted"]
    assert jobs.rows("SELECT * FROM untold_ends") == []


def untold(jobs: Accepted) -> set[uuid.UUID]:
    """The jobs whose end may not have been told."""
    return {job_id for row in jobs.rows("SELECT job_ids FROM untold_ends") for job_id in row["job_ids"]}


def test_a_crash_before_the_commit_leaves_nothing(stage: Stage, jobs: Accepted, database: Database) -> None:
    job = jobs.reserved(database, variations=1)
    jobs.all_end(job, "succeeded")
    before = jobs.job(job)
    (record,) = stage.place(wake_up(job, 0))
    with failpoint.armed("project.written", crash), pytest.raises(Crash):
        stage.redeliver(record)
    assert jobs.job(job) == before
    assert jobs.outbox(job) == []
    assert jobs.wallet(job.org_id) == (1_000_000 - VIDEO_PRICE, VIDEO_PRICE, 1)
    assert stage.redeliver(record).names() == ["JobCompleted"]


@pytest.mark.parametrize("seed", range(6))
def test_order_and_duplicates_do_not_matter(stage: Stage, jobs: Accepted, database: Database, seed: int) -> None:
    chance = random.Random(seed)
    running = [jobs.reserved(database, variations=chance.randint(1, 5)) for _ in range(6)]
    ends = [(job, index) for job in running for index in range(job.variations)]
    chance.shuffle(ends)
    told: list[Read] = []
    for job, index in ends:
        jobs.stands(job, index, chance.choice(["succeeded", "failed"]))
        told.append(wake_up(job, index))
        if chance.random() < 0.3:
            batch = chance.choices([*told, unknown()], k=chance.randint(1, 6))
            stage.feed(*batch)
    chance.shuffle(told)
    placed = stage.place(*told, *told)
    stage.redeliver(*placed)
    stage.redeliver(*placed[: len(told)])

    versions = Published(stage.recorder.records).versions()
    assert versions.keys() == {str(job.job_id) for job in running}
    assert all(len(different) == 1 for different in versions.values())
    for job in running:
        row = jobs.job(job)
        assert row["status"] == ("completed" if row["succeeded"] else "failed")
        assert len(jobs.settlements(job)) == 1
        assert jobs.wallet(job.org_id) == (1_000_000 - row["succeeded"] * VIDEO_PRICE, 0, 0)


def test_two_projectors_at_once_end_each_job_once(database_url: str, jobs: Accepted, database: Database) -> None:
    """A rebalance gave both the same partitions: they handle the same wake-ups while variations are still ending."""
    project = jobs.project()
    running = [jobs.reserved(database, variations=3, project=project) for _ in range(40)]
    told = [wake_up(job, index) for job in running for index in range(3)]
    records = [record.at(0, offset) for offset, record in enumerate(told)]
    recorders = [Recorder(), Recorder()]
    together = threading.Barrier(3)

    def project_all(number: int) -> None:
        own = Database(database_url, application_name=f"test-projector-{number}")
        handler = projector(own, recorders[number])
        chance = random.Random(number)
        together.wait()
        for _ in range(12):
            handler.handle(Batch(chance.sample(records, len(records)), {}))
        own.close()

    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(project_all, number) for number in range(2)]
        together.wait()
        for index in range(3):
            for job in running:
                jobs.stands(job, index, "succeeded" if index else "failed")
        for one in both:
            one.result()
    # Whoever was last to look has seen every end, or this one does.
    last = Stage(database, recorders[0])
    last.redeliver(*records)

    versions = Published([record for recorder in recorders for record in recorder.records]).versions()
    assert versions.keys() == {str(job.job_id) for job in running}
    assert all(len(different) == 1 for different in versions.values())
    for job in running:
        assert jobs.job(job)["status"] == "completed"
        assert jobs.settlements(job) == [(VIDEO_PRICE, -3 * VIDEO_PRICE)]
        assert len(jobs.outbox(job)) == 1
    assert jobs.wallet(project.org_id) == (1_000_000 - 40 * 2 * VIDEO_PRICE, 0, 0)
