"""GET /v1/jobs: the organisation's accepted jobs, newest first, page by page."""

import base64
import uuid
from itertools import chain

import pytest

from schemas.http import JobPage
from schemas.ids import format_id
from tests.builders import Rows
from tests.read.conftest import Api

pytestmark = pytest.mark.anyio

AT_MS = 1_790_000_000_000


async def pages(api: Api, key: str, path: str) -> list[list[str]]:
    """The container ids of every page."""
    found, cursor = [], ""
    while True:
        answer = (await api.get(path + cursor, key)).json()
        found.append([item["containerId"] for item in answer["items"]])
        if answer["nextCursor"] is None:
            return found
        cursor = f"&cursor={answer['nextCursor']}"


async def test_jobs_come_newest_first_and_in_full(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    jobs = [rows.job(brand, accepted_at_ms=AT_MS + number) for number in range(3)]
    rows.variation(jobs[1], 0, "succeeded")
    rows.end(jobs[1], "completed", succeeded=1)
    key = rows.key(brand.org_id, "jobs:read")
    page = (await api.get("/v1/jobs", key)).json()
    JobPage.model_validate(page)
    assert [item["jobId"] for item in page["items"]] == [format_id("job", job.job_id) for job in reversed(jobs)]
    assert page["nextCursor"] is None
    # An item is what a GET of the job shows.
    for item in page["items"]:
        assert item == (await api.get(item["locationUrl"], key)).json()


async def test_pages_lose_and_repeat_nothing_even_within_one_millisecond(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    jobs = [rows.job(brand, accepted_at_ms=AT_MS + number // 3) for number in range(8)]
    found = await pages(api, rows.key(brand.org_id), "/v1/jobs?limit=3")
    assert [len(page) for page in found] == [3, 3, 2]
    assert sorted(chain.from_iterable(found)) == sorted(format_id("cnt", job.container_id) for job in jobs)


async def test_a_job_that_comes_meanwhile_moves_no_page(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    key, jobs = rows.key(brand.org_id), [rows.job(brand, accepted_at_ms=AT_MS + number) for number in range(4)]
    first = (await api.get("/v1/jobs?limit=2", key)).json()
    rows.job(brand, accepted_at_ms=AT_MS + 100)
    second = (await api.get(f"/v1/jobs?limit=2&cursor={first['nextCursor']}", key)).json()
    assert [i["jobId"] for i in second["items"]] == [format_id("job", job.job_id) for job in (jobs[1], jobs[0])]


async def test_the_default_page_has_25_and_the_largest_200(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    for number in range(201):
        rows.job(brand, accepted_at_ms=AT_MS + number)
    key = rows.key(brand.org_id)
    assert len((await api.get("/v1/jobs", key)).json()["items"]) == 25
    largest = (await api.get("/v1/jobs?limit=200", key)).json()
    assert len(largest["items"]) == 200
    assert largest["nextCursor"] is not None


@pytest.mark.parametrize("limit", ["0", "201", "-1", "1.5", "many", "", "٣", "1e2"])
async def test_a_bad_limit_is_named(api: Api, rows: Rows, limit: str) -> None:
    answer = await api.get(f"/v1/jobs?limit={limit}", rows.key(rows.organization()))
    assert answer.status_code == 422
    assert [f["field"] for f in answer.json()["error"]["details"]["fields"]] == ["limit"]


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "!!!!",
        "",
        base64.urlsafe_b64encode(b"25").decode().rstrip("="),
        base64.urlsafe_b64encode(b"-1.%s" % str(uuid.UUID(int=1)).encode()).decode().rstrip("="),
        base64.urlsafe_b64encode(b"1.not-an-id").decode().rstrip("="),
        base64.urlsafe_b64encode(b"%d.%s" % (1 << 60, str(uuid.UUID(int=1)).encode())).decode().rstrip("="),
    ],
)
async def test_a_bad_cursor_is_named(api: Api, rows: Rows, cursor: str) -> None:
    answer = await api.get(f"/v1/jobs?cursor={cursor}", rows.key(rows.organization()))
    assert answer.status_code == 422
    assert [f["field"] for f in answer.json()["error"]["details"]["fields"]] == ["cursor"]


async def test_a_cursor_with_something_added_is_no_cursor_of_ours(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    key = rows.key(brand.org_id)
    for number in range(2):
        rows.job(brand, accepted_at_ms=AT_MS + number)
    cursor = (await api.get("/v1/jobs?limit=1", key)).json()["nextCursor"]
    assert (await api.get(f"/v1/jobs?cursor={cursor}", key)).status_code == 200
    assert (await api.get(f"/v1/jobs?cursor=!{cursor}", key)).status_code == 422


async def test_jobs_are_chosen_by_status(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    by_status = {status: rows.job(brand) for status in ("running", "completed", "failed", "canceled")}
    for status, job in by_status.items():
        if status != "running":
            rows.end(job, status)
    key = rows.key(brand.org_id)
    for status, job in by_status.items():
        items = (await api.get(f"/v1/jobs?status={status}", key)).json()["items"]
        assert [(i["jobId"], i["status"]) for i in items] == [(format_id("job", job.job_id), status)]


async def test_jobs_are_chosen_by_project_and_kind(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    other = rows.brand(brand.org_id)
    mine = rows.job(brand)
    rows.job(other)
    key = rows.key(brand.org_id)
    for project in (str(brand.project_id), format_id("proj", brand.project_id), f"proj_{brand.project_id}"):
        items = (await api.get(f"/v1/jobs?projectId={project}&kind=content_clone_from_post", key)).json()["items"]
        assert [item["jobId"] for item in items] == [format_id("job", mine.job_id)]


async def test_a_filter_holds_on_every_page(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    other = rows.brand(brand.org_id)
    mine = [rows.job(one, accepted_at_ms=AT_MS + n) for n in range(6) for one in (brand, other) if one is brand]
    for number in range(6):
        rows.job(other, accepted_at_ms=AT_MS + number)
    path = f"/v1/jobs?limit=2&status=running&projectId={brand.project_id}"
    found = await pages(api, rows.key(brand.org_id), path)
    assert list(chain.from_iterable(found)) == [format_id("cnt", job.container_id) for job in reversed(mine)]


@pytest.mark.parametrize(
    ("query", "field"), [("status=done", "status"), ("kind=other", "kind"), ("projectId=job_1", "projectId")]
)
async def test_a_bad_filter_is_named(api: Api, rows: Rows, query: str, field: str) -> None:
    answer = await api.get(f"/v1/jobs?{query}", rows.key(rows.organization()))
    assert answer.status_code == 422
    assert [f["field"] for f in answer.json()["error"]["details"]["fields"]] == [field]


async def test_refusals_and_foreign_jobs_are_left_out(api: Api, rows: Rows) -> None:
    brand, foreign = rows.brand(), rows.brand()
    rows.refusal(brand, uuid.uuid4())
    rows.job(foreign)
    key = rows.key(brand.org_id)
    assert (await api.get("/v1/jobs", key)).json() == {"items": [], "nextCursor": None}
    assert (await api.get(f"/v1/jobs?projectId={foreign.project_id}", key)).json()["items"] == []
