"""POST clone-from-post: the record that it publishes, and every verdict as HTTP says it."""

import json
import re
import uuid
from typing import Any

import httpx
import pytest

from schemas.canonical import job_id
from schemas.ids import format_id, parse_id
from schemas.topics import REPLIES
from tests.awaiting import eventually
from tests.e2e.pipeline import Pipeline, Tenant
from tests.http.answers import REQUEST_ID, refused
from tests.http.judge import SILENCE, Judge

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def path(container: uuid.UUID | str) -> str:
    return f"/v1/content/{container}/clone-from-post"


def test_the_answer_is_the_envelope_of_the_seed(client: httpx.Client, tenant: Tenant) -> None:
    container = uuid.uuid4()
    answer = client.post(path(container), json=tenant.body(mode="reimagine", variations=3))
    job = format_id("job", job_id(tenant.request(container, mode="reimagine", variations=3)))
    assert answer.status_code == 202
    assert list(answer.json().items()) == [
        ("jobId", job),
        ("kind", "content_clone_from_post"),
        ("status", "running"),
        ("containerId", format_id("cnt", container)),
        ("locationUrl", f"/v1/jobs/{job}"),
    ]
    assert re.fullmatch(r"job_[0-9A-HJKMNP-TV-Z]{26}", job)
    assert answer.headers["location"] == f"/v1/jobs/{job}"
    assert answer.headers["content-type"] == "application/json"
    assert REQUEST_ID.fullmatch(answer.headers["x-request-id"])
    assert "idempotent-replayed" not in answer.headers
    assert "server" not in answer.headers


def test_the_record_says_what_was_asked_and_by_whom(client: httpx.Client, tenant: Tenant, judge: Judge) -> None:
    container = uuid.uuid4()
    texts = {"caption": "Ünï ☕", "cta": "", "voiceOverScript": "Say this."}
    answer = client.post(
        path(container),
        json=tenant.body(projectLayerId=str(tenant.layer_id), mode="reimagine", variations=10, overrides=texts),
        headers={"Idempotency-Key": "my key", "traceparent": TRACE},
    )
    seen = judge.request_for(container)
    requested_at = seen.record.pop("requestedAt")
    assert isinstance(requested_at, int)
    assert seen.record == {
        "orgId": str(tenant.org_id),
        "containerId": str(container),
        "projectId": str(tenant.project_id),
        "projectLayerId": str(tenant.layer_id),
        "sourcePlatformPostId": "7301",
        "mode": "reimagine",
        "variations": 10,
        "overrides": texts,
        "requestedBy": f"key:{tenant.api_key.split('_')[2]}",
        "idempotencyKey": "my key",
        "deadlineAt": None,
    }
    assert seen.key == str(container).encode()
    assert seen.headers["ce_id"] == answer.headers["x-request-id"]
    assert seen.headers["ce_type"] == "clonepost.events.CloneRequested"
    assert seen.headers["traceparent"] == TRACE
    assert 0 <= int(seen.headers["reply_to"]) < REPLIES.partitions


@pytest.mark.parametrize("sent", [None, "nonsense", "00-" + "0" * 32 + "-b7ad6b7169203331-01", "01" + TRACE[2:]])
def test_without_a_trace_that_makes_sense_a_new_one_begins(
    client: httpx.Client, tenant: Tenant, judge: Judge, sent: str | None
) -> None:
    container = uuid.uuid4()
    client.post(path(container), json=tenant.body(), headers={} if sent is None else {"traceparent": sent})
    begun = judge.request_for(container).headers["traceparent"]
    assert begun != sent
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", begun)


def test_every_form_of_an_id_is_the_same_request(client: httpx.Client, tenant: Tenant) -> None:
    container = uuid.uuid4()
    forms: list[tuple[str, dict[str, Any]]] = [
        (str(container), tenant.body()),
        (str(container).upper(), tenant.body(mode="fork", variations=1)),
        (format_id("cnt", container), tenant.body(projectId=format_id("proj", tenant.project_id))),
        (f"cnt_{container}", tenant.body(projectId=f"PROJ_{str(tenant.project_id).upper()}")),
        (format_id("cnt", container).lower(), tenant.body(mode=None, variations=None, overrides=None)),
        (str(container), tenant.body(projectLayerId=None, overrides={})),
        (str(container), tenant.body(overrides={"caption": None})),
        (str(container).replace("-", "%2D"), tenant.body()),
    ]
    answers = [client.post(path(form), json=body) for form, body in forms]
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1


def test_an_internal_source_id_is_normalised_and_an_external_one_kept(
    client: httpx.Client, tenant: Tenant, judge: Judge
) -> None:
    external, internal = uuid.uuid4(), uuid.uuid4()
    client.post(path(external), json=tenant.body(sourcePlatformPostId=" 7301"))
    client.post(path(internal), json=tenant.body(sourcePlatformPostId=format_id("pp", tenant.post_id)))
    assert judge.request_for(external).record["sourcePlatformPostId"] == " 7301"
    assert judge.request_for(internal).record["sourcePlatformPostId"] == str(tenant.post_id)


def test_a_replay_has_the_same_bytes_and_says_so(client: httpx.Client, tenant: Tenant, judge: Judge) -> None:
    container = uuid.uuid4()
    first = client.post(path(container), json=tenant.body())
    judge.verdicts[str(container)] = {"outcome": "replayed"}
    again = client.post(path(container), json=tenant.body())
    assert (again.status_code, again.content) == (202, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["x-request-id"] != first.headers["x-request-id"]


@pytest.mark.parametrize(
    ("code", "status", "details"),
    [
        ("NOT_FOUND", 404, None),
        ("BILLING_EXHAUSTED", 402, {"available": 10, "required": 120}),
        ("CONFLICT", 409, {"layerCount": 2}),
        ("IDEMPOTENCY_CONFLICT", 409, None),
        ("DEADLINE_EXCEEDED", 409, None),
        ("RATE_LIMITED", 429, {"maxRunningJobs": 1}),
        ("VALIDATION_FAILED", 422, {"fields": [{"field": "mode", "message": "no"}]}),
    ],
)
def test_a_refusal_has_the_same_code_as_over_kafka(
    client: httpx.Client, tenant: Tenant, judge: Judge, code: str, status: int, details: dict[str, Any] | None
) -> None:
    container = uuid.uuid4()
    judge.verdicts[str(container)] = {
        "outcome": "refused",
        "code": code,
        "message": "Naïve — no.",
        "details": None if details is None else json.dumps(details),
    }
    answer = client.post(path(container), json=tenant.body())
    error = refused(answer, status, code)
    assert error["message"] == "Naïve — no."
    assert error.get("details") == details
    assert answer.headers["x-ratelimit-endpoint-class"] == "long-running"
    assert ("retry-after" in answer.headers) == (status == 429)


def test_a_verdict_that_is_late_is_a_202(client: httpx.Client, tenant: Tenant, judge: Judge) -> None:
    container = uuid.uuid4()
    judge.verdicts[str(container)] = SILENCE
    answer = client.post(path(container), json=tenant.body())
    assert answer.status_code == 202
    assert answer.json()["jobId"] == format_id("job", job_id(tenant.request(container)))
    # Its verdict may come when nobody waits any more; the next request is answered all the same.
    judge.reply(judge.request_for(container), {"outcome": "refused", "code": "NOT_FOUND"})
    assert client.post(path(uuid.uuid4()), json=tenant.body()).status_code == 202


def test_what_else_comes_on_the_reply_partition_is_passed_over(
    client: httpx.Client, tenant: Tenant, judge: Judge
) -> None:
    container, other = uuid.uuid4(), uuid.uuid4()
    client.post(path(other), json=tenant.body())
    place = judge.request_for(other)
    judge.send(b"no record of ours", int(place.headers["reply_to"]))
    judge.reply(place, {"requestId": "req_of_another_process", "outcome": "refused", "code": "NOT_FOUND"})
    judge.verdicts[str(container)] = {"outcome": "refused", "code": "BILLING_EXHAUSTED", "message": "No."}
    refused(client.post(path(container), json=tenant.body()), 402, "BILLING_EXHAUSTED")


def test_many_at_once_get_each_their_own_verdict(
    service: Pipeline, tenant: Tenant, judge: Judge, client: httpx.Client
) -> None:
    containers = [uuid.uuid4() for _ in range(60)]
    for refused_one in containers[::2]:
        judge.verdicts[str(refused_one)] = {"outcome": "refused", "code": "NOT_FOUND", "message": str(refused_one)}
    answers = service.post_many(tenant, [(container, tenant.body()) for container in containers])
    for number, (container, answer) in enumerate(zip(containers, answers, strict=True)):
        if number % 2:
            assert parse_id("cnt", answer.json()["containerId"]) == container
        else:
            assert refused(answer, 404, "NOT_FOUND")["message"] == str(container)


def test_requests_are_counted_by_route_and_status(client: httpx.Client, tenant: Tenant) -> None:
    line = 'clonepost_http_requests_total{route="clone-from-post",status="202"}'

    def counted() -> float:
        found = [row for row in client.get("/metrics").text.splitlines() if row.startswith(line)]
        return float(found[0].split()[-1]) if found else 0.0

    before = counted()
    client.post(path(uuid.uuid4()), json=tenant.body())
    eventually(lambda: counted() == before + 1, what="the request is counted")
    assert tenant.api_key not in client.get("/metrics").text
