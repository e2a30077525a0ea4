"""How jobs end: completed, in part, failed, canceled; credits settled, events that agree with the rows."""

import uuid
from functools import partial
from typing import Any

import httpx
import pytest

from producer.publisher import ClonePublisher
from runtime.record import header_pairs
from schemas.canonical import job_id
from schemas.ids import ContainerId, JobId, OrgId, format_id, parse_id
from schemas.topics import ADMISSIONS, JOB_EVENTS, JOBS_COMPLETED, REPLIES, REQUESTS, VARIATION_RESULTS, Topic
from tests.awaiting import eventually
from tests.e2e.pipeline import Pipeline, Tenant

PRICE = 120


def test_a_completed_job_has_one_event_that_agrees_with_the_tables(pipeline: Pipeline, tenant: Tenant) -> None:
    with pipeline.client(tenant) as client:
        job, envelope = _clone(pipeline, client, tenant, mode="reimagine", variations=3)
    assert envelope["status"] == "completed"
    assert envelope["result"]["counts"] == {"requested": 3, "completed": 3, "failed": 0, "canceled": 0}
    events = eventually(
        lambda: list(pipeline.events(JOBS_COMPLETED, jobId=str(job))), what="the completion event is in the log"
    )
    assert len(events) == 1
    event = events[0][1]
    (row,) = pipeline.rows(
        """SELECT j.credits_charged, j.succeeded, j.failed, j.completion_event_id,
                  (extract(epoch FROM j.finished_at) * 1000)::bigint,
                  (extract(epoch FROM c.accepted_at) * 1000)::bigint,
                  c.requested_by
           FROM jobs j JOIN claims c USING (job_id) WHERE job_id = %s""",
        job,
    )
    assert (event["creditsCharged"], event["variationsSucceeded"], event["variationsFailed"]) == row[:3]
    assert (event["eventId"], event["finishedAt"], event["acceptedAt"], event["requestedBy"]) == (str(row[3]), *row[4:])
    ledger = pipeline.rows("SELECT kind, available_delta, reserved_delta FROM credit_ledger WHERE job_id = %s", job)
    assert sorted(ledger) == [("reserve", -3 * PRICE, 3 * PRICE), ("settle", 0, -3 * PRICE)]
    assert event["creditsCharged"] == 3 * PRICE
    for shown, told in zip(envelope["result"]["variations"], event["variations"], strict=True):
        assert parse_id("var", shown["id"]) == uuid.UUID(told["variationId"])
        assert (shown["index"], shown["status"], shown["durationMs"]) == (
            told["index"],
            told["status"],
            told["durationMs"],
        )


def test_the_cap_on_running_jobs_is_a_429_that_says_when_to_come_back_and_ends_with_the_jobs(
    pipeline: Pipeline, tenant: Tenant
) -> None:
    pipeline.execute("UPDATE organizations SET max_running_jobs = 1 WHERE org_id = %s", tenant.org_id)
    with pipeline.client(tenant) as client:

        def ask(container: uuid.UUID, **changes: Any) -> httpx.Response:
            return client.post(f"/v1/content/{container}/clone-from-post", json=tenant.body(**changes))

        def refusal(answer: httpx.Response) -> httpx.Response | None:
            return answer if answer.status_code == 429 else None

        slow = ask(uuid.uuid4(), overrides={"caption": "@@generator delay=600s"})
        assert slow.status_code == 202
        other = uuid.uuid4()
        # A verdict that is late leaves a 202; a refusal claims nothing, so that the same may be asked again.
        refused = eventually(lambda: refusal(ask(other)), what="the second is refused")
        assert refused.headers["retry-after"] == "5"
        error = refused.json()["error"]
        assert (error["code"], error["details"]) == ("RATE_LIMITED", {"runningJobs": 1, "maxRunningJobs": 1})
        assert client.post(f"/v1/jobs/{slow.json()['jobId']}/cancel").status_code == 202
        pipeline.ended(client, slow.json()["jobId"])
        accepted = ask(other)
        assert accepted.status_code == 202
        assert pipeline.ended(client, accepted.json()["jobId"])["status"] == "completed"


def test_some_variations_fail_and_the_job_completes(pipeline: Pipeline, tenant: Tenant) -> None:
    with pipeline.client(tenant) as client:
        job, envelope = _clone(
            pipeline, client, tenant, variations=3, overrides={"caption": "@@generator fail=1,3 error=PROVIDER_ERROR"}
        )
        wallet = client.get("/v1/credits").json()
    assert envelope["status"] == "completed"
    variations = envelope["result"]["variations"]
    assert [variation["status"] for variation in variations] == ["failed", "completed", "failed"]
    assert variations[0]["error"]["code"] == "PROVIDER_ERROR"
    assert envelope["result"]["counts"] == {"requested": 3, "completed": 1, "failed": 2, "canceled": 0}
    assert wallet["balance"] == wallet["available"] == 1_000_000 - PRICE
    assert wallet["reservedCredits"] == 0
    assert pipeline.rows("SELECT credits_charged FROM jobs WHERE job_id = %s", job) == [(PRICE,)]


def test_no_variation_succeeds_and_the_job_fails(pipeline: Pipeline, tenant: Tenant) -> None:
    with pipeline.client(tenant) as client:
        job, envelope = _clone(
            pipeline, client, tenant, variations=2, overrides={"caption": "@@generator fail=1,2 error=PROVIDER_ERROR"}
        )
        assert client.get("/v1/credits").json()["available"] == 1_000_000
    assert (envelope["status"], envelope["error"]["code"]) == ("failed", "PROVIDER_ERROR")
    (event,) = eventually(lambda: list(pipeline.events(JOB_EVENTS, jobId=str(job))), what="JobFailed is published")
    assert (event[0], event[1]["code"], event[1]["creditsCharged"]) == ("JobFailed", "PROVIDER_ERROR", 0)
    assert list(pipeline.events(JOBS_COMPLETED, jobId=str(job))) == []


def test_an_unsupported_language_is_a_clear_failure(pipeline: Pipeline) -> None:
    tenant = pipeline.tenant(language="ja")
    with pipeline.client(tenant) as client:
        _, envelope = _clone(pipeline, client, tenant)
    assert (envelope["status"], envelope["error"]["code"]) == ("failed", "LANGUAGE_UNSUPPORTED")


def test_a_canceled_job_ends_canceled_and_charges_what_had_succeeded(pipeline: Pipeline, tenant: Tenant) -> None:
    container = uuid.uuid4()
    # The second one hangs until it is canceled; the first is quick.
    body = tenant.body(variations=2, overrides={"caption": "@@generator hang=2"})
    with pipeline.client(tenant) as client:
        job = client.post(f"/v1/content/{container}/clone-from-post", json=body).json()["jobId"]
        eventually(lambda: client.get(f"/v1/jobs/{job}").json()["progress"] == 0.5, what="one variation has ended")
        canceled = client.post(f"/v1/jobs/{job}/cancel")
        assert (canceled.status_code, canceled.json()) == (202, {"jobId": job, "accepted": True})
        envelope = pipeline.ended(client, job)
        assert envelope["status"] == "canceled"
        assert [v["status"] for v in envelope["result"]["variations"]] == ["completed", "canceled"]
        again = client.post(f"/v1/jobs/{job}/cancel")
        assert (again.status_code, again.json()["reason"]) == (200, "ALREADY_CANCELED")
        wallet = client.get("/v1/credits").json()
    assert wallet["available"] == wallet["balance"] == 1_000_000 - PRICE
    job_uuid = parse_id("job", job)
    (event,) = eventually(lambda: list(pipeline.events(JOB_EVENTS, jobId=str(job_uuid))), what="JobCanceled comes")
    assert (event[0], event[1]["creditsCharged"]) == ("JobCanceled", PRICE)


def test_a_cancel_after_the_end_says_so(pipeline: Pipeline, tenant: Tenant) -> None:
    with pipeline.client(tenant) as client:
        job, _ = _clone(pipeline, client, tenant)
        answer = client.post(f"/v1/jobs/{format_id('job', job)}/cancel")
    assert answer.status_code == 200
    assert answer.json() == {"jobId": format_id("job", job), "accepted": False, "reason": "ALREADY_COMPLETED"}


def test_a_cancel_of_an_unknown_job_over_kafka_is_rejected(pipeline: Pipeline, tenant: Tenant) -> None:
    container = ContainerId(uuid.uuid4())
    with ClonePublisher(requested_by="test", settings=pipeline.settings) as publisher:
        publisher.cancel(OrgId(tenant.org_id), container, JobId(uuid.uuid4()))
    (event,) = eventually(
        lambda: list(pipeline.events(ADMISSIONS, containerId=str(container))), what="the cancel is answered"
    )
    assert (event[0], event[1]["code"]) == ("CancelRejected", "NOT_FOUND")


def test_a_foreign_job_can_neither_be_seen_nor_canceled(pipeline: Pipeline, tenant: Tenant) -> None:
    other = pipeline.tenant()
    with pipeline.client(tenant) as client:
        job, _ = _clone(pipeline, client, tenant)
    with pipeline.client(other) as stranger:
        assert stranger.get(f"/v1/jobs/{format_id('job', job)}").status_code == 404
        assert stranger.post(f"/v1/jobs/{format_id('job', job)}/cancel").status_code == 404


@pytest.mark.parametrize("mode", ["fork", "reimagine"])
def test_overrides_come_out_byte_for_byte(pipeline: Pipeline, tenant: Tenant, mode: str) -> None:
    overrides = {"caption": "Ünï ☕  two  spaces\n#tag", "cta": "", "voiceOverScript": "Say exactly this."}
    with pipeline.client(tenant) as client:
        _, envelope = _clone(pipeline, client, tenant, mode=mode, overrides=overrides)
    assert {name: envelope["result"]["variations"][0][name] for name in overrides} == overrides


def test_a_get_right_after_the_202_is_never_404(pipeline: Pipeline, tenant: Tenant) -> None:
    with pipeline.client(tenant) as client:
        for _ in range(50):
            container = uuid.uuid4()
            job = client.post(f"/v1/content/{container}/clone-from-post", json=tenant.body()).json()["jobId"]
            statuses = [client.get(f"/v1/{path}").status_code for path in (f"jobs/{job}", f"content/{container}")]
            assert statuses == [200, 200]


def test_a_request_over_kafka_can_be_read_under_its_job_id(pipeline: Pipeline, tenant: Tenant) -> None:
    request = tenant.request(uuid.uuid4())
    with ClonePublisher(requested_by="test", settings=pipeline.settings) as publisher:
        job = publisher.request(request)
    assert job == job_id(request)
    with pipeline.client(tenant) as client:
        assert pipeline.ended(client, format_id("job", job))["status"] == "completed"


def test_the_trace_goes_from_the_post_to_the_completion_event(pipeline: Pipeline, tenant: Tenant) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    container = uuid.uuid4()
    with pipeline.client(tenant) as client:
        answer = client.post(
            f"/v1/content/{container}/clone-from-post", json=tenant.body(), headers={"traceparent": trace}
        )
        pipeline.ended(client, answer.json()["jobId"])
    header = ("traceparent", trace.encode())

    def carries_it(topic: Topic) -> bool:
        return any(header in header_pairs(record) for record in pipeline.records(topic))

    for topic in (REQUESTS, ADMISSIONS, VARIATION_RESULTS, JOB_EVENTS, JOBS_COMPLETED, REPLIES):
        eventually(partial(carries_it, topic), what=f"the trace is on {topic.name}")


def _clone(
    pipeline: Pipeline, client: httpx.Client, tenant: Tenant, **changes: Any
) -> tuple[uuid.UUID, dict[str, Any]]:
    answer = client.post(f"/v1/content/{uuid.uuid4()}/clone-from-post", json=tenant.body(**changes))
    assert answer.status_code == 202, answer.text
    job = answer.json()["jobId"]
    return parse_id("job", job), pipeline.ended(client, job)
