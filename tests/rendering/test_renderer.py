"""The render role on a real database, with real processes: what is lost is done again, what never works ends."""

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from prometheus_client import REGISTRY

from consumers.generation.pool import Pool
from consumers.rendering import renderer as renderer_module
from consumers.rendering.renderer import Renderer
from consumers.rendering.workers import Work, Workers
from storage import renders
from storage.asset_store import LocalFolder, attempt_prefix
from storage.connection import Database
from storage.variations import Lease
from tests.awaiting import eventually
from tests.dedup.stage import Recorder
from tests.generation.world import MADE, Job, Jobs, Steered, made
from tests.rendering import work

BOTH: Final = 2


@pytest.fixture
def jobs(database_url: str) -> Iterator[Jobs]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield Jobs(connection)


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renderer_module, "_RETRY_SECONDS", 0.0)


def succeeded(jobs: Jobs, *, variations: int = 1) -> Job:
    """A job whose variations have their texts and wait for their pictures."""
    job = jobs.accept(variations=variations)
    for index in range(variations):
        jobs.execute(
            """INSERT INTO variations (job_id, variation_index, org_id, state, attempt, deadline_at, finished_at,
                 hook_shape, visual_format, duration_ms, creative)
               VALUES (%s, %s, %s, 'succeeded', 1, clock_timestamp(), clock_timestamp(), %s, %s, %s, %s)""",
            *(job.job_id, index, job.org_id, MADE.hook_shape, MADE.visual_format, MADE.duration_ms),
            json.dumps(MADE.creative),
        )
    return job


def expected(database: Database, job: Job) -> None:
    with database.transaction() as connection:
        renders.expect(connection, [Lease(job.job_id, index, 1) for index in range(job.variations)])


def rows(jobs: Jobs, job: Job) -> list[dict[str, Any]]:
    return jobs.rows("SELECT * FROM renders WHERE job_id = %s ORDER BY variation_index", job.job_id)


def states(jobs: Jobs, job: Job) -> list[str]:
    return [row["state"] for row in rows(jobs, job)]


@contextmanager
def rendering(
    database_url: str,
    folder: Path,
    what: Work,
    *,
    seconds: float = 60.0,
    memory_mb: int = 2_048,
    lease_seconds: float = 30,
) -> Iterator[Renderer]:
    """A render process of one worker."""
    workers = Workers(what, folder, processes=1, seconds=seconds, memory_mb=memory_mb)
    renderer = Renderer(
        Database(database_url, application_name="test-render"),
        LocalFolder(folder),
        workers,
        processes=1,
        lease_seconds=lease_seconds,
        sweep_seconds=0.05,
    )
    thread = threading.Thread(target=renderer.run)
    thread.start()
    try:
        yield renderer
    finally:
        renderer.stop()
        thread.join()


def oldest_seconds() -> float:
    """What a scrape of this process says."""
    return REGISTRY.get_sample_value("clonepost_stage_oldest_record_seconds", {"stage": "render"}) or 0.0


def ended(jobs: Jobs, job: Job) -> Callable[[], bool]:
    return lambda: set(states(jobs, job)) <= {"ready", "failed"}


def test_the_age_of_the_oldest_render_is_seen_until_it_has_ended(
    database_url: str, database: Database, jobs: Jobs, tmp_path: Path
) -> None:
    job = succeeded(jobs)
    expected(database, job)
    hour = "clock_timestamp() + interval '1 hour'"
    jobs.execute(f"UPDATE renders SET created_at = created_at - interval '2 hours', not_before = {hour}")
    with rendering(database_url, tmp_path, work.quick):
        eventually(lambda: 7_200 <= oldest_seconds() < 9_000, what="the age is said while nothing can be done")
        jobs.execute("UPDATE renders SET not_before = clock_timestamp()")
        eventually(lambda: oldest_seconds() == 0, what="nothing is late")
        assert states(jobs, job) == ["ready"]


def test_a_success_is_to_be_rendered_in_the_same_transaction(database_url: str, jobs: Jobs, recorder: Recorder) -> None:
    job = jobs.accept(variations=BOTH)
    pool = _pool(database_url, recorder, renders=True)
    pool.start()
    try:
        _lease_all(database_url, pool, job)
        eventually(lambda: jobs.states(job) == ["succeeded"] * BOTH, what="the texts are there")
        assert states(jobs, job) == ["pending"] * BOTH
    finally:
        pool.stop()


def test_nothing_is_to_be_rendered_where_that_is_off(database_url: str, jobs: Jobs, recorder: Recorder) -> None:
    job = jobs.accept(variations=BOTH)
    pool = _pool(database_url, recorder, renders=False)
    pool.start()
    try:
        _lease_all(database_url, pool, job)
        eventually(lambda: jobs.states(job) == ["succeeded"] * BOTH, what="the texts are there")
        assert rows(jobs, job) == []
    finally:
        pool.stop()


def test_what_is_rendered_is_stored_and_described(
    database_url: str, database: Database, jobs: Jobs, tmp_path: Path
) -> None:
    job = succeeded(jobs, variations=BOTH)
    expected(database, job)
    expected(database, job)  # a success that is committed twice is expected once
    with rendering(database_url, tmp_path, work.quick):
        eventually(ended(jobs, job), what="the renders end")
    found = rows(jobs, job)
    assert [(row["state"], row["attempt"], row["losses"]) for row in found] == [("ready", 1, 0)] * BOTH
    assert [asset["name"] for row in found for asset in row["assets"]] == ["note.txt"] * BOTH
    store = LocalFolder(tmp_path)
    assert store.read(f"{attempt_prefix(Lease(job.job_id, 1, 1))}/note.txt", 0, 9) == b"video"
    # The texts are as they were.
    assert jobs.states(job) == ["succeeded"] * BOTH
    assert jobs.rows("SELECT version FROM jobs WHERE job_id = %s", job.job_id) == [{"version": 1}]


@pytest.mark.parametrize(
    ("what", "caps", "code"),
    [
        (work.hang, {"seconds": 0.3}, "RENDER_TIMEOUT"),
        (work.eat, {"memory_mb": 640}, "RENDER_MEMORY"),
        (work.die, {}, "RENDERER_LOST"),
    ],
    ids=["hangs", "eats memory", "dies"],
)
def test_trouble_ends_with_the_third_loss_and_never_touches_the_job(
    database_url: str,
    database: Database,
    jobs: Jobs,
    tmp_path: Path,
    what: Work,
    caps: dict[str, Any],
    code: str,
) -> None:
    job = succeeded(jobs)
    expected(database, job)
    with rendering(database_url, tmp_path, what, **caps):
        eventually(ended(jobs, job), what="the render ends")
    (row,) = rows(jobs, job)
    assert (row["state"], row["error_code"], row["losses"], row["attempt"]) == ("failed", code, 3, 3)
    assert jobs.states(job) == ["succeeded"]
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


def test_a_killed_renderer_is_followed_by_another(
    database_url: str, database: Database, jobs: Jobs, tmp_path: Path
) -> None:
    job, next_job = succeeded(jobs), succeeded(jobs)
    expected(database, job)
    expected(database, next_job)
    with rendering(database_url, tmp_path, work.die_once):
        eventually(lambda: ended(jobs, job)() and ended(jobs, next_job)(), what="the renders end")
    for one in (job, next_job):
        (row,) = rows(jobs, one)
        assert (row["state"], row["losses"], row["attempt"]) == ("ready", 1, 2)
    assert sorted(file.name for file in tmp_path.rglob("*.txt")) == ["note.txt", "note.txt"]


def test_a_defect_fails_at_once(database_url: str, database: Database, jobs: Jobs, tmp_path: Path) -> None:
    job = succeeded(jobs)
    expected(database, job)
    with rendering(database_url, tmp_path, work.stumble):
        eventually(ended(jobs, job), what="the render ends")
    (row,) = rows(jobs, job)
    assert (row["error_code"], row["attempt"], row["losses"]) == ("INTERNAL", 1, 0)
    assert "defect" not in row["error_message"]


def test_a_process_that_vanished_loses_its_lease_and_another_takes_over(
    database_url: str, database: Database, jobs: Jobs, tmp_path: Path
) -> None:
    job = succeeded(jobs)
    expected(database, job)
    with database.transaction() as connection:
        lost = renders.claim(connection, after=uuid.UUID(int=0), lease_seconds=0.0)
    assert lost is not None
    with rendering(database_url, tmp_path, work.quick, lease_seconds=0.5):
        eventually(ended(jobs, job), what="the render ends")
    (row,) = rows(jobs, job)
    assert (row["state"], row["attempt"], row["losses"]) == ("ready", 2, 1)
    # What the first one makes after all is not taken.
    with database.transaction() as connection:
        assert not renders.finish(connection, lost.lease, [])
        assert not renders.fail(connection, lost.lease, "LATE", "late")
        assert renders.renew(connection, [lost.lease], lease_seconds=9) == set()
        renders.lose(connection, lost.lease, "LATE", "late", wait_seconds=0)
    assert rows(jobs, job) == [row]


def test_a_stop_gives_back_what_runs_and_counts_no_loss(
    database_url: str, database: Database, jobs: Jobs, tmp_path: Path
) -> None:
    job = succeeded(jobs)
    expected(database, job)
    with rendering(database_url, tmp_path, work.hang):
        eventually(lambda: states(jobs, job) == ["leased"], what="the render begins")
    (row,) = rows(jobs, job)
    assert (row["state"], row["attempt"], row["losses"]) == ("pending", 1, 0)


def test_organisations_take_turns(database: Database, jobs: Jobs) -> None:
    flood, other = succeeded(jobs, variations=5), succeeded(jobs)
    expected(database, flood)
    expected(database, other)
    served, after = [], uuid.UUID(int=0)
    with database.transaction() as connection:
        while (order := renders.claim(connection, after=after, lease_seconds=30)) is not None:
            served.append(order.org_id)
            after = order.org_id
    assert len(served) == 6
    assert other.org_id in served[:2]


def test_a_lease_is_kept_while_its_render_runs(
    database_url: str, database: Database, jobs: Jobs, tmp_path: Path
) -> None:
    job = succeeded(jobs)
    expected(database, job)
    with rendering(database_url, tmp_path, work.hang, lease_seconds=0.9):
        eventually(lambda: states(jobs, job) == ["leased"], what="the render begins")
        first = rows(jobs, job)[0]["lease_until"]
        eventually(lambda: rows(jobs, job)[0]["lease_until"] > first, what="the lease is renewed")
        assert rows(jobs, job)[0]["attempt"] == 1


def _pool(database_url: str, recorder: Recorder, *, renders: bool) -> Pool:
    return Pool(
        Steered(made),
        lambda: Database(database_url, application_name="test-pool"),
        recorder,
        concurrency=2,
        lease_seconds=30.0,
        topic_prefix="",
        on_death=lambda name: None,
        renders=renders,
    )


def _lease_all(database_url: str, pool: Pool, job: Job) -> None:
    from storage import variations

    database = Database(database_url, application_name="test")
    with database.transaction() as connection:
        variations.fan_out(connection, [job.job_id], room=0, worker_id=pool.worker_id, lease_seconds=30.0)
    database.close()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()
