"""A hundred at once: one job, one reservation, one completion event, whoever asks and by whatever way."""

import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from producer.publisher import ClonePublisher
from schemas.canonical import CloneRequest, job_id
from schemas.ids import format_id
from schemas.topics import ADMISSIONS, JOB_EVENTS, JOBS_COMPLETED
from tests.awaiting import eventually
from tests.e2e.pipeline import Pipeline, Tenant

CROWD = 100


def test_identical_requests_over_http_make_one_job(pipeline: Pipeline, tenant: Tenant) -> None:
    container = uuid.uuid4()
    answers = pipeline.post_many(tenant, [(container, tenant.body(variations=2))] * CROWD)
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert Counter(answer.headers.get("idempotent-replayed") for answer in answers) == {None: 1, "true": CROWD - 1}
    _one_of_everything(pipeline, tenant, container, tenant.request(container, variations=2))


def test_different_requests_over_http_have_one_winner(pipeline: Pipeline, tenant: Tenant) -> None:
    container = uuid.uuid4()
    asks = [(container, tenant.body(overrides={"caption": f"caption {number}"})) for number in range(CROWD)]
    answers = pipeline.post_many(tenant, asks)
    assert Counter(answer.status_code for answer in answers) == {202: 1, 409: CROWD - 1}
    losers = [answer.json()["error"] for answer in answers if answer.status_code == 409]
    assert {error["code"] for error in losers} == {"CONFLICT"}
    assert len(pipeline.rows("SELECT FROM claims WHERE container_id = %s", container)) == 1
    assert len(pipeline.rows("SELECT FROM refusals WHERE container_id = %s", container)) == CROWD - 1


def test_identical_requests_over_kafka_make_one_job(pipeline: Pipeline, tenant: Tenant) -> None:
    container = uuid.uuid4()
    request = tenant.request(container)
    _publish(pipeline, [request] * CROWD)
    _one_of_everything(pipeline, tenant, container, request)


def test_different_requests_over_kafka_have_one_winner(pipeline: Pipeline, tenant: Tenant) -> None:
    container = uuid.uuid4()
    _publish(pipeline, [tenant.request(container, variations=1 + number % 10) for number in range(CROWD)])
    first = job_id(tenant.request(container, variations=1))
    # 10 different requests, 10 times each: the first wins, its copies are replays, the other 90 conflict.
    eventually(
        lambda: len(pipeline.rows("SELECT FROM refusals WHERE container_id = %s", container)) == 90,
        what="ninety refusals",
    )
    assert pipeline.rows("SELECT job_id FROM claims WHERE container_id = %s", container) == [(first,)]
    decided = list(pipeline.events(ADMISSIONS, containerId=str(container)))
    assert Counter(name for name, _ in decided) == {"CloneAccepted": 1, "CloneRejected": 90}
    assert {event["code"] for name, event in decided if name == "CloneRejected"} == {"CONFLICT"}


def test_half_over_http_and_half_over_kafka_make_one_job(pipeline: Pipeline, tenant: Tenant) -> None:
    container = uuid.uuid4()
    request = tenant.request(container)
    with ThreadPoolExecutor(1) as pool:
        by_kafka = pool.submit(_publish, pipeline, [request] * (CROWD // 2))
        answers = pipeline.post_many(tenant, [(container, tenant.body())] * (CROWD // 2))
        by_kafka.result()
    assert {answer.status_code for answer in answers} == {202}
    assert {answer.json()["jobId"] for answer in answers} == {format_id("job", job_id(request))}
    _one_of_everything(pipeline, tenant, container, request)


def _publish(pipeline: Pipeline, requests: list[CloneRequest]) -> None:
    with ClonePublisher(requested_by="test", settings=pipeline.settings) as publisher:
        for request in requests:
            publisher.request(request)


def _one_of_everything(pipeline: Pipeline, tenant: Tenant, container: uuid.UUID, request: CloneRequest) -> None:
    job = job_id(request)
    with pipeline.client(tenant) as client:
        assert pipeline.ended(client, format_id("job", job))["status"] == "completed"
    eventually(lambda: list(pipeline.events(JOBS_COMPLETED, jobId=str(job))), what="the completion event is in the log")
    assert len(list(pipeline.events(JOBS_COMPLETED, containerId=str(container)))) == 1
    assert len(list(pipeline.events(ADMISSIONS, containerId=str(container)))) == 1
    assert {event["eventId"] for _, event in pipeline.events(JOB_EVENTS, containerId=str(container))} == {
        next(pipeline.events(JOBS_COMPLETED, containerId=str(container)))[1]["eventId"]
    }
    assert pipeline.rows("SELECT job_id FROM claims WHERE container_id = %s", container) == [(job,)]
    entries = pipeline.rows("SELECT kind FROM credit_ledger WHERE job_id = %s ORDER BY kind", job)
    assert entries == [("reserve",), ("settle",)]
    count = pipeline.rows("SELECT count(*) FROM variations WHERE job_id = %s", job)
    assert count == [(request.variations,)]
