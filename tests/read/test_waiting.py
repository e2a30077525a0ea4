"""`Prefer: wait`: an answer when the job changes, from one read for everybody who waits."""

import asyncio

import pytest

from producer.read.following import preferred_wait_seconds
from tests.builders import Rows
from tests.read.conftest import Api
from tests.read.happening import happens

pytestmark = pytest.mark.anyio


async def test_a_waiting_client_is_answered_when_the_job_changes(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    key, job = rows.key(brand.org_id), rows.job(brand)
    path = f"/v1/jobs/{job.job_id}"
    before = await api.get(path, key)
    waiting = asyncio.create_task(api.get(path, key, prefer="wait=60", if_none_match=before.headers["etag"]))
    await happens(lambda: bool(api.reads.watched), what="somebody waits")
    assert not waiting.done()
    rows.advance(job, progress=0.5)
    answer = await waiting
    assert (answer.status_code, answer.json()["progress"]) == (200, 0.5)
    assert answer.headers["preference-applied"] == "wait=60"
    assert answer.headers["etag"] != before.headers["etag"]


async def test_the_change_that_ends_the_job_brings_its_variations(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    key, job = rows.key(brand.org_id), rows.job(brand)
    path = f"/v1/jobs/{job.job_id}"
    waiting = asyncio.create_task(api.get(path, key, prefer="wait=60"))
    await happens(lambda: bool(api.reads.watched), what="somebody waits")
    rows.variation(job, 0, "succeeded")
    rows.end(job, "completed", succeeded=1)
    answer = await waiting
    assert answer.json()["result"]["variations"][0]["status"] == "completed"
    assert answer.content == (await api.get(path, key)).content


async def test_without_a_change_the_answer_is_what_is_known(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    key, job = rows.key(brand.org_id), rows.job(brand)
    path = f"/v1/jobs/{job.job_id}"
    answer = await api.get(path, key, prefer="wait=1")
    assert (answer.status_code, answer.headers["preference-applied"]) == (200, "wait=1")
    again = await api.get(path, key, prefer="wait=1", if_none_match=answer.headers["etag"])
    assert (again.status_code, again.headers["preference-applied"]) == (304, "wait=1")
    assert api.reads.watched


async def test_who_knows_an_older_version_does_not_wait(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    key, job = rows.key(brand.org_id), rows.job(brand)
    path = f"/v1/jobs/{job.job_id}"
    old = (await api.get(path, key)).headers["etag"]
    rows.advance(job, progress=0.25)
    answer = await api.get(path, key, prefer="wait=60", if_none_match=old)
    assert (answer.status_code, answer.json()["progress"]) == (200, 0.25)
    assert not api.reads.watched


@pytest.mark.parametrize("prefer", ["wait=0", "respond-async", "wait=soon", "wait"])
async def test_nobody_waits_who_did_not_ask_to(api: Api, rows: Rows, prefer: str) -> None:
    brand = rows.brand()
    answer = await api.get(f"/v1/jobs/{rows.job(brand).job_id}", rows.key(brand.org_id), prefer=prefer)
    assert answer.status_code == 200
    assert not api.reads.watched
    assert answer.headers.get("preference-applied") == ("wait=0" if prefer == "wait=0" else None)


async def test_what_cannot_change_is_not_waited_for(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    key, job = rows.key(brand.org_id), rows.job(brand)
    rows.variation(job, 0, "succeeded")
    rows.end(job, "completed", succeeded=1)
    answer = await api.get(f"/v1/jobs/{job.job_id}", key, prefer="wait=60")
    assert (answer.status_code, answer.headers["preference-applied"]) == (200, "wait=60")
    assert not api.reads.watched


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        (["wait=10"], 10),
        (["wait=61"], 60),
        (["wait=99999999999999"], 60),
        (["respond-async, wait=5; foo"], 5),
        (["respond-async", "WAIT=7"], 7),
        (['wait="3"'], 3),
        (["wait=-1"], None),
        (["wait=1.5"], None),
        (["wait=٣"], None),
        ([], None),
    ],
)
async def test_the_preference_is_read_and_clamped(sent: list[str], seconds: int | None) -> None:
    assert preferred_wait_seconds(sent) == seconds


async def test_a_hundred_who_wait_cost_one_read_a_tick(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    key, jobs = rows.key(brand.org_id), [rows.job(brand) for _ in range(4)]
    await api.get("/v1/whoami", key)
    paths = [f"/v1/jobs/{jobs[number % 4].job_id}" for number in range(100)]
    waiting = [asyncio.create_task(api.get(path, key, prefer="wait=60")) for path in paths]
    await happens(lambda: 4 in api.reads.watched, what="all four jobs are watched")
    await happens(lambda: api.reads.jobs_read == 100, what="everybody has read once")
    ticks = len(api.reads.watched)
    await happens(lambda: len(api.reads.watched) >= ticks + 2, what="a tick passes with everybody waiting")
    for job in jobs:
        rows.advance(job, progress=0.5)
    await asyncio.gather(*waiting)
    # Whoever waited was handed the row: nobody read it again.
    assert api.reads.jobs_read == 100
    assert max(api.reads.watched) == 4


async def test_one_who_goes_away_leaves_nothing_behind(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    key, job = rows.key(brand.org_id), rows.job(brand)
    waiting = asyncio.create_task(api.get(f"/v1/jobs/{job.job_id}", key, prefer="wait=60"))
    await happens(lambda: bool(api.reads.watched), what="somebody waits")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await happens(lambda: not api.watch.running, what="the watch rests")
