"""POST cancel: the record that it publishes, and every verdict as HTTP says it."""

import json
import uuid
from typing import Any

import httpx
import pytest

from schemas.ids import format_id
from tests.builders import Brand, Job, Rows
from tests.e2e.pipeline import Pipeline, Tenant
from tests.http.answers import fields, refused
from tests.http.judge import SILENCE, Judge


@pytest.fixture
def job(rows: Rows, tenant: Tenant) -> Job:
    """An accepted job of the tenant's."""
    return rows.job(Brand(tenant.org_id, tenant.project_id, tenant.layer_id, tenant.post_id))


def path(job_id: uuid.UUID) -> str:
    return f"/v1/jobs/{format_id('job', job_id)}/cancel"


def verdict(code: str, details: dict[str, Any] | None = None) -> dict[str, Any]:
    text = None if details is None else json.dumps(details)
    return {"outcome": "refused", "code": code, "message": "No.", "details": text}


def test_an_accepted_cancel_is_202_and_its_record_names_the_job(
    client: httpx.Client, tenant: Tenant, judge: Judge, job: Job
) -> None:
    answer = client.post(path(job.job_id))
    assert (answer.status_code, answer.json()) == (202, {"jobId": format_id("job", job.job_id), "accepted": True})
    seen = judge.request_for(job.container_id)
    assert isinstance(seen.record.pop("requestedAt"), int)
    assert seen.record == {
        "orgId": str(tenant.org_id),
        "containerId": str(job.container_id),
        "jobId": str(job.job_id),
        "requestedBy": f"key:{tenant.api_key.split('_')[2]}",
        "reason": None,
    }
    assert seen.key == str(job.container_id).encode()
    assert seen.headers["ce_type"] == "clonepost.events.CloneCancelRequested"
    assert seen.headers["ce_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("how", ["accepted", "replayed", SILENCE])
def test_accepted_before_accepted_now_or_not_decided_yet_is_202(
    client: httpx.Client, judge: Judge, job: Job, how: str
) -> None:
    judge.verdicts[str(job.container_id)] = SILENCE if how == SILENCE else {"outcome": how}
    answer = client.post(f"/v1/jobs/{job.job_id}/cancel")
    assert (answer.status_code, answer.json()["accepted"]) == (202, True)


@pytest.mark.parametrize("reason", ["ALREADY_COMPLETED", "ALREADY_FAILED", "ALREADY_CANCELED"])
def test_a_job_that_has_ended_is_200_with_the_reason(client: httpx.Client, judge: Judge, job: Job, reason: str) -> None:
    judge.verdicts[str(job.container_id)] = verdict("CONFLICT", {"reason": reason})
    answer = client.post(path(job.job_id))
    expected = {"jobId": format_id("job", job.job_id), "accepted": False, "reason": reason}
    assert (answer.status_code, answer.json()) == (200, expected)


def test_a_stage_that_refuses_is_409(client: httpx.Client, judge: Judge, job: Job) -> None:
    judge.verdicts[str(job.container_id)] = verdict("CONFLICT", {"subcode": "JOB_CANCEL_UNAVAILABLE"})
    error = refused(client.post(path(job.job_id)), 409, "CONFLICT")
    assert error["details"]["subcode"] == "JOB_CANCEL_UNAVAILABLE"


def test_a_job_that_is_gone_when_it_is_judged_is_404(client: httpx.Client, judge: Judge, job: Job) -> None:
    judge.verdicts[str(job.container_id)] = verdict("NOT_FOUND")
    refused(client.post(path(job.job_id)), 404, "NOT_FOUND")


def test_what_names_no_job_is_422(client: httpx.Client) -> None:
    assert fields(client.post("/v1/jobs/cnt_01HXZ9G7KMV2QX8Y1S5RJW3B7T/cancel")) == ["jobId"]


def test_a_foreign_job_is_never_named_to_the_dedup_stage(service: Pipeline, judge: Judge, job: Job, rows: Rows) -> None:
    other = service.tenant()
    with service.client(other) as stranger:
        # Not 404 at once: nobody has decided what is in clone.requests, so a job might still come of it.
        refused(stranger.post(path(job.job_id)), 503, "UNAVAILABLE")
    assert str(job.container_id) not in {seen.record["containerId"] for seen in judge.seen}
