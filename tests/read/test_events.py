"""GET /v1/jobs/{jobId}/events: one event a version, resumable, ended by the terminal one."""

import asyncio
import json
import uuid
from typing import Any

import pytest

from producer.read.following import job_events, last_seen
from producer.read.watch import JobWatch, Snapshot
from schemas.http import Job
from tests.builders import Rows
from tests.read.conftest import STREAMS_PER_KEY, Api
from tests.read.happening import happens

pytestmark = pytest.mark.anyio


def events_of(body: str) -> list[tuple[int, str, dict[str, Any]]]:
    """(id, event, data) of each event; comments are left out."""
    found = []
    for block in body.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            found.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
    return found


async def test_a_job_is_followed_to_its_end(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    key, job = rows.key(brand.org_id, "jobs:read"), rows.job(brand)
    path = f"/v1/jobs/{job.job_id}"
    following = asyncio.create_task(api.get(f"{path}/events", key))
    await happens(lambda: bool(api.reads.watched), what="somebody follows")
    rows.advance(job, stage="analyzing_source")
    ticks = len(api.reads.watched)
    await happens(lambda: len(api.reads.watched) >= ticks + 2, what="the first change is seen")
    rows.variation(job, 0, "succeeded")
    rows.end(job, "completed", succeeded=1)
    answer = await following
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-request-id"].startswith("req_")
    assert "x-ratelimit-limit" in answer.headers
    events = events_of(answer.text)
    assert [(number, kind) for number, kind, _ in events] == [(1, "progress"), (2, "progress"), (3, "completed")]
    assert [data["stage"] for _, _, data in events] == ["queued", "analyzing_source", "finalizing"]
    for _, _, data in events:
        Job.model_validate(data)
    assert events[-1][2] == (await api.get(path, key)).json()


@pytest.mark.parametrize(("last", "shown"), [("", [2]), ("0", [2]), ("1", [2]), ("2", []), ("9", []), ("x", [2])])
async def test_a_stream_goes_on_behind_the_last_event(api: Api, rows: Rows, last: str, shown: list[int]) -> None:
    brand = rows.brand()
    key, job = rows.key(brand.org_id), rows.job(brand)
    rows.variation(job, 0, "failed")
    rows.end(job, "failed", failed=1)
    answer = await api.get(f"/v1/jobs/{job.job_id}/events", key, last_event_id=last)
    assert [number for number, _, _ in events_of(answer.text)] == shown


async def test_a_resumed_stream_shows_what_comes_next(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    key, job = rows.key(brand.org_id), rows.job(brand)
    rows.advance(job)
    following = asyncio.create_task(api.get(f"/v1/jobs/{job.job_id}/events", key, last_event_id="2"))
    await happens(lambda: bool(api.reads.watched), what="somebody follows")
    rows.variation(job, 0, "canceled")
    rows.end(job, "canceled", canceled=1)
    assert [(number, kind) for number, kind, _ in events_of((await following).text)] == [(3, "canceled")]


async def test_a_refusal_is_one_event_below_every_version(api: Api, rows: Rows) -> None:
    brand, job_id = rows.brand(), uuid.uuid4()
    key = rows.key(brand.org_id)
    rows.refusal(brand, job_id)
    path = f"/v1/jobs/{job_id}/events"
    [(number, kind, data)] = events_of((await api.get(path, key)).text)
    assert (number, kind, data["error"]["code"]) == (0, "failed", "BILLING_EXHAUSTED")
    assert events_of((await api.get(path, key, last_event_id="0")).text) == []
    # Accepted later, the first version is news to whoever saw the refusal.
    job = rows.job(brand, job_id=job_id)
    rows.variation(job, 0, "succeeded")
    rows.end(job, "completed", succeeded=1)
    assert [number for number, _, _ in events_of((await api.get(path, key, last_event_id="0")).text)] == [2]


async def test_a_key_has_only_so_many_streams_open(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    key, other, job = rows.key(brand.org_id), rows.key(brand.org_id), rows.job(brand)
    path, key_id = f"/v1/jobs/{job.job_id}/events", key.split("_")[2]
    following = [asyncio.create_task(api.get(path, key)) for _ in range(STREAMS_PER_KEY)]
    await happens(lambda: api.streams.open(key_id) == STREAMS_PER_KEY, what="the key has all its streams")
    refused = await api.get(path, key)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "RATE_LIMITED")
    assert int(refused.headers["retry-after"]) >= 1
    assert "x-ratelimit-limit" in refused.headers
    # One that has gone makes room, and one key's streams are not another's.
    following.pop().cancel()
    await happens(lambda: api.streams.open(key_id) < STREAMS_PER_KEY, what="one has gone")
    following += [asyncio.create_task(api.get(path, key)), asyncio.create_task(api.get(path, other))]
    await happens(lambda: api.streams.open(other.split("_")[2]) == 1, what="the other key has one")
    rows.variation(job, 0, "succeeded")
    rows.end(job, "completed", succeeded=1)
    assert [answer.status_code for answer in await asyncio.gather(*following)] == [200] * (STREAMS_PER_KEY + 1)
    assert api.streams.open(key_id) == 0


async def test_another_organisations_job_cannot_be_followed(api: Api, rows: Rows) -> None:
    job = rows.job(rows.brand())
    answer = await api.get(f"/v1/jobs/{job.job_id}/events", rows.key(rows.organization()))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")


async def test_a_quiet_stream_is_kept_alive_by_comments(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    job = rows.job(brand)
    row = await api.reads.job(brand.org_id, job.job_id)
    assert row is not None
    stream = job_events(api.watch, brand.org_id, job.job_id, Snapshot(row, []), 1, heartbeat_seconds=0.01)
    assert (await anext(stream)).startswith(b":")
    assert (await anext(stream)).startswith(b":")
    rows.advance(job)
    shown = b": "
    while shown.startswith(b":"):
        shown = await anext(stream)
    assert shown.startswith(b"id: 2\nevent: progress\n")


async def test_streams_end_when_the_process_stops(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    key, job = rows.key(brand.org_id), rows.job(brand)
    following = asyncio.create_task(api.get(f"/v1/jobs/{job.job_id}/events", key))
    await happens(lambda: bool(api.reads.watched), what="somebody follows")
    api.watch.stop()
    assert [number for number, _, _ in events_of((await following).text)] == [1]
    # Whoever comes while it stops is answered at once.
    assert (await api.get(f"/v1/jobs/{job.job_id}", key, prefer="wait=60")).status_code == 200


async def test_a_stalled_database_does_not_end_a_stream(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    key, job = rows.key(brand.org_id), rows.job(brand)
    following = asyncio.create_task(api.get(f"/v1/jobs/{job.job_id}/events", key))
    await happens(lambda: bool(api.reads.watched), what="somebody follows")
    api.reads.failing = True
    ticks = len(api.reads.watched)
    await happens(lambda: len(api.reads.watched) >= ticks + 2, what="the watch has failed twice")
    assert not following.done()
    api.reads.failing = False
    rows.variation(job, 0, "succeeded")
    rows.end(job, "completed", succeeded=1)
    assert [kind for _, kind, _ in events_of((await following).text)] == ["progress", "completed"]


async def test_a_watch_that_nobody_uses_reads_nothing(api: Api) -> None:
    watch = JobWatch(api.reads)
    assert await watch.changed(uuid.uuid4(), uuid.uuid4(), 1, timeout_seconds=0) is None
    await happens(lambda: not watch.running, what="the watch rests")


@pytest.mark.parametrize(("text", "version"), [(None, -1), ("", -1), ("7", 7), ("-1", -1), ("٣", -1), ("9" * 40, -1)])
async def test_a_last_event_id_is_a_version(text: str | None, version: int) -> None:
    assert last_seen(text) == version
