"""GET /v1/jobs/{jobId}: the envelope, its entity tag, and whose jobs it shows."""

import uuid

import pytest

from schemas.http import ErrorEnvelope, Job
from schemas.ids import JobId, format_id, variation_id
from tests.builders import CREATIVE, Rows
from tests.read.conftest import Api

pytestmark = pytest.mark.anyio


async def test_a_job_can_be_read_as_soon_as_it_is_accepted(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    job = rows.job(brand, variations=3, accepted_at_ms=1_790_000_000_123)
    answer = await api.get(f"/v1/jobs/{job.job_id}", rows.key(brand.org_id, "jobs:read"))
    assert answer.status_code == 200
    job_text = format_id("job", job.job_id)
    assert answer.json() == {
        "jobId": job_text,
        "kind": "content_clone_from_post",
        "status": "running",
        "stage": "queued",
        "progress": 0.0,
        "projectId": format_id("proj", job.project_id),
        "containerId": format_id("cnt", job.container_id),
        "locationUrl": f"/v1/jobs/{job_text}",
        "startedAt": "2026-09-21T14:13:20.123Z",
        "finishedAt": None,
        "result": None,
        "error": None,
    }
    Job.model_validate(answer.json())


async def test_a_completed_job_shows_each_variation_even_those_that_failed(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    job = rows.job(brand, variations=2)
    rows.variation(job, 0, "succeeded")
    rows.variation(job, 1, "failed", error=("PROVIDER_ERROR", "The provider failed."))
    rows.end(job, "completed", succeeded=1, failed=1)
    shown = (await api.get(f"/v1/jobs/{job.job_id}", rows.key(brand.org_id))).json()
    Job.model_validate(shown)
    assert (shown["status"], shown["stage"], shown["progress"]) == ("completed", "finalizing", 1.0)
    assert shown["finishedAt"] == "2026-09-21T14:13:25.250Z"
    assert shown["error"] is None
    assert shown["result"]["containerId"] == shown["containerId"]
    assert shown["result"]["counts"] == {"requested": 2, "completed": 1, "failed": 1, "canceled": 0}
    assert shown["result"]["variations"] == [
        {
            "id": format_id("var", variation_id(JobId(job.job_id), 0)),
            "index": 0,
            "status": "completed",
            **CREATIVE,
            "durationMs": 21_000,
            "assets": [],
        },
        {
            "id": format_id("var", variation_id(JobId(job.job_id), 1)),
            "index": 1,
            "status": "failed",
            **dict.fromkeys(CREATIVE),
            "durationMs": None,
            "assets": [],
            "error": {"code": "PROVIDER_ERROR", "message": "The provider failed."},
        },
    ]


async def test_a_failed_job_says_why(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    job = rows.job(brand)
    rows.variation(job, 0, "failed")
    rows.end(job, "failed", failed=1)
    shown = (await api.get(f"/v1/jobs/{job.job_id}", rows.key(brand.org_id))).json()
    Job.model_validate(shown)
    assert shown["status"] == "failed"
    assert shown["error"] == {"code": "PROVIDER_ERROR", "message": "The provider failed."}


async def test_a_canceled_job_keeps_what_was_made(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    job = rows.job(brand, variations=2)
    rows.variation(job, 0, "succeeded")
    rows.variation(job, 1, "canceled")
    rows.end(job, "canceled", succeeded=1, canceled=1)
    shown = (await api.get(f"/v1/jobs/{job.job_id}", rows.key(brand.org_id))).json()
    Job.model_validate(shown)
    assert shown["status"] == "canceled"
    assert [variation["status"] for variation in shown["result"]["variations"]] == ["completed", "canceled"]


async def test_every_form_of_a_job_id_is_read(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    key, job = rows.key(brand.org_id), rows.job(brand)
    ulid = format_id("job", job.job_id)
    for form in (str(job.job_id), str(job.job_id).upper(), ulid, ulid.lower(), f"job_{job.job_id}"):
        assert (await api.get(f"/v1/jobs/{form}", key)).json()["jobId"] == ulid


@pytest.mark.parametrize(
    "text", ["cnt_01HXZ9G7KMV2QX8Y1S5RJW3B7T", "job_1", "x", "%00", "job_01HXZ9G7KMV2QX8Y1S5RJW3B7U"]
)
async def test_what_is_no_job_id_is_invalid(api: Api, rows: Rows, text: str) -> None:
    answer = await api.get(f"/v1/jobs/{text}", rows.key(rows.organization()))
    assert answer.status_code == 422
    error = ErrorEnvelope.model_validate(answer.json()).error
    assert error.code == "VALIDATION_FAILED"
    assert error.details is not None
    assert [field["field"] for field in error.details["fields"]] == ["jobId"]


async def test_another_organisations_job_is_answered_like_one_that_never_was(api: Api, rows: Rows) -> None:
    job, stranger = rows.job(rows.brand()), rows.key(rows.organization())
    foreign = await api.get(f"/v1/jobs/{job.job_id}", stranger)
    never = await api.get(f"/v1/jobs/{uuid.uuid4()}", stranger)
    assert foreign.status_code == never.status_code == 404
    for answer in (foreign, never):
        assert {**answer.json()["error"], "requestId": ""} == {
            "code": "NOT_FOUND",
            "message": "Job not found.",
            "requestId": "",
        }


async def test_the_entity_tag_changes_with_the_version_and_only_then(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    key, job = rows.key(brand.org_id), rows.job(brand)
    path = f"/v1/jobs/{job.job_id}"
    first = (await api.get(path, key)).headers["etag"]
    assert first.startswith('"')  # strong
    assert (await api.get(path, key)).headers["etag"] == first
    rows.advance(job, progress=0.5)
    assert (await api.get(path, key)).headers["etag"] != first


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
async def test_a_known_version_is_not_sent_again(api: Api, rows: Rows, form: str) -> None:
    brand = rows.brand()
    key, job = rows.key(brand.org_id), rows.job(brand)
    path = f"/v1/jobs/{job.job_id}"
    etag = (await api.get(path, key)).headers["etag"]
    answer = await api.get(path, key, if_none_match=form.format(etag))
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    rows.advance(job)
    answer = await api.get(path, key, if_none_match=form.format(etag))
    assert answer.status_code == (304 if form == "*" else 200)


async def test_a_terminal_job_never_changes_its_tag_or_its_bytes(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    key, job = rows.key(brand.org_id), rows.job(brand)
    rows.variation(job, 0, "succeeded")
    rows.end(job, "completed", succeeded=1)
    path = f"/v1/jobs/{job.job_id}"
    first = await api.get(path, key)
    rows.execute("UPDATE organizations SET name = 'Renamed', max_running_jobs = 1")
    rows.execute("UPDATE projects SET name = 'Renamed', brand = '{}'")
    again = await api.get(path, key)
    assert (again.headers["etag"], again.content) == (first.headers["etag"], first.content)
    assert (await api.get(path, key, if_none_match=first.headers["etag"])).status_code == 304


async def test_a_refusal_shows_as_a_failed_job_until_the_job_is_accepted(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    key, job_id = rows.key(brand.org_id), uuid.uuid4()
    path = f"/v1/jobs/{job_id}"
    rows.refusal(brand, job_id, code="NOT_FOUND", refused_at_ms=1_790_000_000_000)
    rows.refusal(brand, job_id, code="CONFLICT", details={"layerCount": 2}, refused_at_ms=1_790_000_000_456)
    refused = await api.get(path, key)
    Job.model_validate(refused.json())
    assert refused.json()["status"] == "failed"
    assert refused.json()["error"] == {"code": "CONFLICT", "message": "Refused.", "details": {"layerCount": 2}}
    assert refused.json()["finishedAt"] == "2026-09-21T14:13:20.456Z"
    assert (await api.get(path, key, if_none_match=refused.headers["etag"])).status_code == 304

    rows.job(brand, job_id=job_id)
    accepted = await api.get(path, key, if_none_match=refused.headers["etag"])
    assert (accepted.status_code, accepted.json()["status"]) == (200, "running")


async def test_a_refused_cancel_and_a_strangers_refusal_are_no_jobs(api: Api, rows: Rows) -> None:
    brand, job_id = rows.brand(), uuid.uuid4()
    rows.refusal(brand, job_id, kind="cancel")
    rows.refusal(rows.brand(), job_id)
    assert (await api.get(f"/v1/jobs/{job_id}", rows.key(brand.org_id))).status_code == 404
