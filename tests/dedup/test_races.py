"""Two dedup processes at once: each has its own connection and thread, and waits are forced, not hoped for."""

import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from storage.connection import Database
from tests.awaiting import eventually
from tests.dedup.records import Read, clone, job_of
from tests.dedup.stage import TOPIC_ID, Outputs, Stage
from tests.dedup.world import VIDEO_PRICE, World


@pytest.fixture
def twin(database_url: str, world: World) -> Iterator[Stage]:
    """A second process of the stage."""
    database = Database(database_url, application_name="test-twin")
    yield Stage(database, world)
    database.close()


@contextmanager
def _held(database_url: str, statement: str, *values: Any) -> Iterator[Callable[[], None]]:
    """Someone else's open transaction that has run the statement; yields its commit."""
    with psycopg.connect(database_url) as connection:
        connection.execute(statement, values)
        yield connection.commit


def _waiting(world: World, count: int) -> Callable[[], bool]:
    return lambda: (
        world.rows(
            "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )[0]["n"]
        == count
    )


def _both(world: World, database_url: str, org_id: uuid.UUID, *work: Callable[[], Outputs]) -> list[Outputs]:
    """Run the work in threads that all wait for the organisation's wallet before any of them may go on."""
    lock = "SELECT 1 FROM wallets WHERE org_id = %s FOR UPDATE"
    with ThreadPoolExecutor(len(work)) as pool, _held(database_url, lock, org_id) as release:
        futures = [pool.submit(one) for one in work]
        eventually(_waiting(world, len(work)), what="every process waits for the wallet")
        release()
        return [future.result(60) for future in futures]


def test_one_idempotency_key_across_partitions_is_accepted_once(
    stage: Stage, twin: Stage, world: World, database_url: str
) -> None:
    project = world.project()
    one = clone(project, idempotencyKey="K").at(0, 0)
    other = clone(project, idempotencyKey="K").at(1, 0)
    outputs = _both(world, database_url, project.org_id, lambda: stage.redeliver(one), lambda: twin.redeliver(other))
    codes = sorted(code for output in outputs for code in output.codes())
    assert codes == ["CloneAccepted", "IDEMPOTENCY_CONFLICT"]
    assert world.wallet(project.org_id)[1:] == (VIDEO_PRICE, 1)


def test_the_last_credit_is_spent_once(stage: Stage, twin: Stage, world: World, database_url: str) -> None:
    project = world.project(credit=VIDEO_PRICE)
    outputs = _both(
        world,
        database_url,
        project.org_id,
        lambda: stage.redeliver(clone(project).at(0, 0)),
        lambda: twin.redeliver(clone(project).at(1, 0)),
    )
    assert sorted(code for output in outputs for code in output.codes()) == ["BILLING_EXHAUSTED", "CloneAccepted"]
    assert world.wallet(project.org_id) == (0, VIDEO_PRICE, 1)


def test_a_zombie_and_its_successor_publish_the_same(
    stage: Stage, twin: Stage, world: World, database_url: str
) -> None:
    project = world.project(credit=2 * VIDEO_PRICE)
    records = stage.place(*(clone(project).asking(0, f"req-{n}") for n in range(4)))
    one, other = _both(
        world, database_url, project.org_id, lambda: stage.redeliver(*records), lambda: twin.redeliver(*records)
    )
    assert one == other
    assert one.codes() == ["CloneAccepted", "CloneAccepted", "BILLING_EXHAUSTED", "BILLING_EXHAUSTED"]
    assert world.wallet(project.org_id) == (0, 2 * VIDEO_PRICE, 2)


def _concurrently(stages: list[Stage], share: Callable[[int], list[list[Read]]]) -> list[Outputs]:
    start = threading.Barrier(len(stages))

    def run(number: int) -> list[Outputs]:
        start.wait(60)
        return [stages[number].redeliver(*batch) for batch in share(number)]

    with ThreadPoolExecutor(len(stages)) as pool:
        futures: list[Future[list[Outputs]]] = [pool.submit(run, number) for number in range(len(stages))]
        return [output for future in futures for output in future.result(60)]


def _batches(records: list[Read], partition: int, size: int) -> list[list[Read]]:
    placed = [record.at(partition, offset) for offset, record in enumerate(records)]
    return [placed[start : start + size] for start in range(0, len(placed), size)]


def test_a_hundred_identical_requests_over_two_processes_are_one_job(stage: Stage, twin: Stage, world: World) -> None:
    project, container = world.project(), uuid.uuid4()
    records = [clone(project, container).asking(0) for _ in range(50)]
    outputs = _concurrently([stage, twin], lambda number: _batches(records, number, 5))
    assert [code for output in outputs for code in output.codes()] == ["CloneAccepted"]
    told = Counter(reply["outcome"] for output in outputs for reply in output.replies())
    assert told == {"accepted": 1, "replayed": 99}
    assert world.wallet(project.org_id)[1:] == (VIDEO_PRICE, 1)


def test_of_a_hundred_different_requests_over_two_processes_one_wins(stage: Stage, twin: Stage, world: World) -> None:
    project, container = world.project(), uuid.uuid4()

    def share(number: int) -> list[list[Read]]:
        texts = [{"caption": f"{number}/{n}", "cta": None, "voiceOverScript": None} for n in range(50)]
        return _batches([clone(project, container, overrides=text) for text in texts], number, 5)

    codes = Counter(code for output in _concurrently([stage, twin], share) for code in output.codes())
    assert codes == {"CloneAccepted": 1, "CONFLICT": 99}


def test_many_organizations_in_every_batch_do_not_deadlock(stage: Stage, twin: Stage, world: World) -> None:
    projects = [world.project() for _ in range(5)]

    def share(number: int) -> list[list[Read]]:
        order = projects if number == 0 else projects[::-1]
        return _batches([clone(project) for _ in range(20) for project in order], number, 10)

    codes = Counter(code for output in _concurrently([stage, twin], share) for code in output.codes())
    assert codes == {"CloneAccepted": 200}
    assert [world.wallet(project.org_id)[2] for project in projects] == [40] * 5


def test_a_refusal_that_another_process_wrote_first_is_the_one_that_is_repeated(
    stage: Stage, world: World, database_url: str
) -> None:
    # An unknown organisation has no wallet to lock, so only the constraint stands between two processes.
    record = clone(world.project(), orgId=str(uuid.uuid4())).at(0, 0)
    insert = """INSERT INTO refusals VALUES (%s, 0, 0, 'clone', null, %s, %s, null, 'NOT_FOUND', 'I was first.', null,
                                             '2026-01-01T00:00:00Z')"""
    with (
        ThreadPoolExecutor(1) as pool,
        _held(database_url, insert, TOPIC_ID, uuid.uuid4(), uuid.uuid4()) as release,
    ):
        late = pool.submit(stage.redeliver, record)
        eventually(_waiting(world, 1), what="the stage waits for the other refusal")
        release()
        [(_, event)] = late.result(60).admissions()
    assert event["message"] == "I was first."
    assert world.count("refusals") == 1


def test_an_idempotency_key_that_another_process_took_first_is_read_again(
    stage: Stage, world: World, database_url: str
) -> None:
    # Only a writer without the wallet's lock can do this; the constraint is the second line of defence.
    project = world.project()
    record = clone(project, idempotencyKey="K").at(0, 0)
    insert = "INSERT INTO idempotency_keys VALUES (%s, 'K', %s, clock_timestamp())"
    with ThreadPoolExecutor(1) as pool, _held(database_url, insert, project.org_id, uuid.uuid4()) as release:
        late = pool.submit(stage.redeliver, record)
        eventually(_waiting(world, 1), what="the stage waits for the other key")
        release()
        assert late.result(60).codes() == ["IDEMPOTENCY_CONFLICT"]
    assert world.wallet(project.org_id)[1:] == (0, 0)
    assert world.count("claims") == 0


def test_a_claim_that_another_process_wrote_first_wins(stage: Stage, world: World, database_url: str) -> None:
    project, container = world.project(), uuid.uuid4()
    first = clone(project, container, variations=2)
    stage.feed(first)
    claim = world.rows("SELECT * FROM claims")[0]
    for table in ("jobs", "claims"):
        world.execute(f"DELETE FROM {table}")
    columns = ", ".join(claim)
    insert = f"INSERT INTO claims ({columns}) VALUES ({', '.join(['%s'] * len(claim))})"
    late_record = clone(project, container).at(1, 0)
    with ThreadPoolExecutor(1) as pool, _held(database_url, insert, *claim.values()) as release:
        late = pool.submit(stage.redeliver, late_record)
        eventually(_waiting(world, 1), what="the stage waits for the other claim")
        release()
        assert late.result(60).codes() == ["CONFLICT"]
    assert [row["job_id"] for row in world.rows("SELECT job_id FROM claims")] == [job_of(first)]
