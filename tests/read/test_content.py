"""Containers: each with all its variations from the first moment on, its progress, and a project's list of them."""

import uuid

import pytest

from producer.read import envelopes
from schemas.http import Content, ContentPage, ContentProgress
from schemas.ids import JobId, format_id, variation_id
from tests.builders import CREATIVE, Rows
from tests.read.conftest import Api

pytestmark = pytest.mark.anyio

AT_MS = 1_790_000_000_000


async def test_a_container_has_its_empty_variations_as_soon_as_it_is_accepted(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    job = rows.job(brand, variations=3)
    shown = (await api.get(f"/v1/content/{job.container_id}", rows.key(brand.org_id, "content:read"))).json()
    Content.model_validate(shown)
    assert shown["containerId"] == format_id("cnt", job.container_id)
    assert shown["jobId"] == format_id("job", job.job_id)
    assert shown["projectId"] == format_id("proj", brand.project_id)
    assert shown["projectLayerId"] == format_id("lay", brand.layer_id)
    assert (shown["status"], shown["mode"], shown["finishedAt"]) == ("running", "fork", None)
    assert shown["variations"] == [
        {
            "id": format_id("var", variation_id(JobId(job.job_id), index)),
            "index": index,
            "status": "pending",
            **dict.fromkeys(CREATIVE),
            "durationMs": None,
            "assets": [],
            "hookShape": None,
            "visualFormat": None,
            "provenance": None,
            "rendering": None,
        }
        for index in range(3)
    ]


async def test_variations_keep_their_ids_and_show_each_state(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    key, job = rows.key(brand.org_id), rows.job(brand, variations=6)
    path = f"/v1/content/{job.container_id}"
    before = (await api.get(path, key)).json()["variations"]
    for index, state in enumerate(("pending", "leased", "succeeded", "failed", "canceled")):
        rows.variation(job, index, state)
    after = (await api.get(path, key)).json()["variations"]
    assert [v["id"] for v in after] == [v["id"] for v in before]
    # The sixth has no row yet.
    assert [v["status"] for v in after] == ["pending", "running", "completed", "failed", "canceled", "pending"]
    made, failed = after[2], after[3]
    assert {name: made[name] for name in CREATIVE} == CREATIVE
    assert (made["hookShape"], made["visualFormat"], made["durationMs"]) == ("story", "talking_head", 21_000)
    assert made["provenance"] == {"generator": "embedded"}
    assert failed["error"] == {"code": "PROVIDER_ERROR", "message": "The provider failed."}


async def test_a_finished_container_agrees_with_its_job(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    key, job = rows.key(brand.org_id), rows.job(brand, variations=2)
    rows.variation(job, 0, "succeeded")
    rows.variation(job, 1, "failed")
    rows.end(job, "completed", succeeded=1, failed=1)
    content = (await api.get(f"/v1/content/{job.container_id}", key)).json()
    envelope = (await api.get(f"/v1/jobs/{job.job_id}", key)).json()
    Content.model_validate(content)
    assert content["status"] == envelope["status"]
    assert content["finishedAt"] == envelope["finishedAt"]
    assert content["counts"] == envelope["result"]["counts"]
    for variation, of_job in zip(content["variations"], envelope["result"]["variations"], strict=True):
        assert of_job.items() <= variation.items()


@pytest.mark.parametrize("path", ["/v1/content/{}", "/v1/content/{}/progress"])
async def test_another_organisations_container_is_not_there(api: Api, rows: Rows, path: str) -> None:
    job = rows.job(rows.brand())
    answer = await api.get(path.format(job.container_id), rows.key(rows.organization()))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")


async def test_one_container_id_in_two_organisations_is_two_containers(api: Api, rows: Rows) -> None:
    container_id = uuid.uuid4()
    for brand in (rows.brand(), rows.brand()):
        job = rows.job(brand, container_id=container_id)
        shown = (await api.get(f"/v1/content/{container_id}", rows.key(brand.org_id))).json()
        assert shown["jobId"] == format_id("job", job.job_id)


async def test_a_refused_container_is_not_there(api: Api, rows: Rows) -> None:
    brand, container_id = rows.brand(), uuid.uuid4()
    rows.refusal(brand, uuid.uuid4(), container_id=container_id)
    assert (await api.get(f"/v1/content/{container_id}", rows.key(brand.org_id))).status_code == 404


async def test_every_form_of_a_container_id_is_read(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    key, job = rows.key(brand.org_id), rows.job(brand)
    ulid = format_id("cnt", job.container_id)
    for form in (str(job.container_id), ulid, ulid.lower(), f"cnt_{job.container_id}"):
        assert (await api.get(f"/v1/content/{form}", key)).status_code == 200
    answer = await api.get(f"/v1/content/{ulid.replace('cnt', 'job')}", key)
    assert [f["field"] for f in answer.json()["error"]["details"]["fields"]] == ["containerId"]


async def test_progress_shows_stage_share_and_time(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    key, job = rows.key(brand.org_id, "content:read"), rows.job(brand, accepted_at_ms=AT_MS)
    path = f"/v1/content/{job.container_id}/progress"
    assert (await api.get(path, key)).json() == {
        "containerId": format_id("cnt", job.container_id),
        "status": "running",
        "stage": "queued",
        "stageProgress": 0.0,
        "etaSeconds": None,
        "updatedAt": "2026-09-21T14:13:20.000Z",
    }
    rows.advance(job, stage="generating", progress=0.5)
    half = (await api.get(path, key)).json()
    ContentProgress.model_validate(half)
    assert (half["stage"], half["stageProgress"]) == ("generating", 0.5)
    rows.end(job, "canceled", canceled=1)
    assert (await api.get(path, key)).json()["etaSeconds"] == 0


@pytest.mark.parametrize(
    ("progress", "status", "eta_seconds"),
    [(0.0, "running", None), (0.25, "running", 30), (0.5, "running", 10), (1.0, "completed", 0)],
)
async def test_the_estimate_extends_the_pace_so_far(progress: float, status: str, eta_seconds: int | None) -> None:
    job = {
        "container_id": uuid.uuid4(),
        "status": status,
        "stage": "generating",
        "progress": progress,
        "accepted_at_ms": AT_MS,
        "updated_at_ms": AT_MS,
    }
    assert envelopes.progress(job, now_ms=AT_MS + 10_000)["etaSeconds"] == eta_seconds


async def test_a_projects_containers_come_newest_first_and_in_pages(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    jobs = [rows.job(brand, accepted_at_ms=AT_MS + number) for number in range(3)]
    rows.job(rows.brand(brand.org_id))
    rows.end(jobs[0], "failed", failed=1)
    key, path = rows.key(brand.org_id, "content:read"), f"/v1/projects/{brand.project_id}/content"
    first = (await api.get(f"{path}?limit=2", key)).json()
    ContentPage.model_validate(first)
    assert [i["containerId"] for i in first["items"]] == [format_id("cnt", job.container_id) for job in jobs[:0:-1]]
    second = (await api.get(f"{path}?limit=2&cursor={first['nextCursor']}", key)).json()
    assert second["nextCursor"] is None
    assert second["items"] == [
        {
            "containerId": format_id("cnt", jobs[0].container_id),
            "projectId": format_id("proj", brand.project_id),
            "jobId": format_id("job", jobs[0].job_id),
            "status": "failed",
            "mode": "fork",
            "createdAt": "2026-09-21T14:13:20.000Z",
            "finishedAt": "2026-09-21T14:13:25.250Z",
            "counts": {"requested": 1, "completed": 0, "failed": 1, "canceled": 0},
        }
    ]


@pytest.mark.parametrize("path", ["/v1/projects/{}/content", "/v1/projects/{}/top-performers?metric=views"])
async def test_another_organisations_project_is_not_there(api: Api, rows: Rows, path: str) -> None:
    brand = rows.brand()
    rows.job(brand)
    answer = await api.get(path.format(brand.project_id), rows.key(rows.organization()))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")


async def test_a_project_without_containers_has_an_empty_list(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    answer = await api.get(f"/v1/projects/{format_id('proj', brand.project_id)}/content", rows.key(brand.org_id))
    assert (answer.status_code, answer.json()) == (200, {"items": [], "nextCursor": None})
