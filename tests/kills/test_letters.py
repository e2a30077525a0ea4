"""Tests a, b, e, h and l of the twelve that catch the worst mistakes; docs/reliability.md says where the others are."""

import signal
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from confluent_kafka.admin import ConfigResource, ResourceType  # type: ignore[attr-defined]  # as documented

from producer.ingest.requests import clone_record, outgoing
from runtime.kafka import new_admin
from runtime.publishing import Outgoing
from runtime.record import raw_bytes
from schemas import codec
from schemas.canonical import CloneRequest, job_id
from schemas.topics import ADMISSIONS, JOBS_COMPLETED, REPLIES, VARIATION_RESULTS
from storage import wallets
from tests.awaiting import eventually
from tests.kills.forked import KilledPipeline

pytestmark = pytest.mark.slow

PRICE = 120


def died(process: Any) -> None:
    eventually(lambda: process.ended_by is not None, what="it dies")
    assert process.ended_by == -signal.SIGKILL


def test_a_a_refusal_that_was_committed_and_not_told_stays_a_refusal(pipeline: KilledPipeline) -> None:
    dedup = pipeline.fork("dedup", CLONEPOST_FAILPOINTS="dedup.committed=kill")
    pipeline.fork("api")
    pipeline.await_ready()
    tenant = pipeline.tenant(credit=PRICE - 1)
    container = uuid.uuid4()
    with pipeline.client(tenant) as client:
        # Nobody is left to refuse it in time.
        taken = client.post(f"/v1/content/{container}/clone-from-post", json=tenant.body())
        assert taken.status_code == 202
        died(dedup)
        with pipeline.database.transaction() as connection:
            wallets.grant(connection, [wallets.Grant(tenant.org_id, uuid.uuid4(), 10 * PRICE, None)])
        pipeline.fork("dedup")
        [(name, event)] = eventually(
            lambda: list(pipeline.events(ADMISSIONS, containerId=str(container))), what="the refusal is told"
        )
        assert (name, event["code"]) == ("CloneRejected", "BILLING_EXHAUSTED")
        shown = client.get(f"/v1/jobs/{taken.json()['jobId']}").json()
        assert (shown["status"], shown["error"]["code"]) == ("failed", "BILLING_EXHAUSTED")
    assert pipeline.rows("SELECT available, reserved FROM wallets WHERE org_id = %s", tenant.org_id) == [
        (11 * PRICE - 1, 0)
    ]
    assert pipeline.rows("SELECT FROM claims") == []


def test_b_one_container_id_in_two_organizations_completes_twice(pipeline: KilledPipeline) -> None:
    _start_all(pipeline)
    container = uuid.uuid4()
    tenants = [pipeline.tenant(), pipeline.tenant()]
    for tenant in tenants:
        [answer] = pipeline.post_many(tenant, [(container, tenant.body())])
        assert answer.status_code == 202
    completed = eventually(lambda: _completions(pipeline, container, 2), what="both completions are in the log")
    assert {event["orgId"] for event in completed} == {str(tenant.org_id) for tenant in tenants}
    # One key, two records: a topic that is compacted would keep the last alone.
    topic = ConfigResource(ResourceType.TOPIC, pipeline.topic(JOBS_COMPLETED))
    admin = new_admin(pipeline.settings)
    [described] = admin.describe_configs([topic]).values()
    assert described.result()["cleanup.policy"].value == "delete"


def _completions(pipeline: KilledPipeline, container: uuid.UUID, count: int) -> list[dict[str, Any]] | None:
    found = [event for _, event in pipeline.events(JOBS_COMPLETED, containerId=str(container))]
    return found if len(found) >= count else None


def test_e_a_worker_that_was_frozen_past_its_lease_writes_nothing(pipeline: KilledPipeline) -> None:
    for role in ("dedup", "project", "relay", "api"):
        pipeline.fork(role)
    first = pipeline.fork("generate-a", "generate", CLONEPOST_FAILPOINTS="work.made=stop")
    pipeline.await_ready()
    tenant, container = pipeline.tenant(), uuid.uuid4()
    [answer] = pipeline.post_many(tenant, [(container, tenant.body())])
    assert answer.status_code == 202
    eventually(lambda: '"at": "work.made"' in pipeline.log("generate-a"), what="attempt 1 is made, and frozen")
    second = pipeline.fork("generate-b", "generate", CLONEPOST_FAILPOINTS="work.made=stop")
    eventually(lambda: '"at": "work.made"' in pipeline.log("generate-b"), what="attempt 2 is made, and frozen")
    first.send(signal.SIGCONT)

    def told() -> bool:
        # By the renewal that finds its lease gone, or by the write that matches nothing: whichever comes first.
        said = pipeline.log("generate-a")
        return '"event": "leases_lost"' in said or '"lost_lease": 1' in said

    eventually(told, what="attempt 1 learns that it is over")
    assert pipeline.rows("SELECT state, attempt FROM variations") == [("leased", 2)]
    assert [index for _, event in pipeline.events(VARIATION_RESULTS) for index in event["indexes"]] == []
    second.send(signal.SIGCONT)
    [event] = eventually(lambda: _completions(pipeline, container, 1), what="the job completes")
    assert [one["attempts"] for one in event["variations"]] == [2]
    stored = pipeline.rows("SELECT state, attempt, losses, provenance->>'attempts' FROM variations")
    assert stored == [("succeeded", 2, 1, "2")]


def test_h_a_cancel_that_races_the_end_charges_what_succeeded(pipeline: KilledPipeline) -> None:
    _start_all(pipeline)
    tenant = pipeline.tenant()
    delays = [0, 20, 60, 120, 200, 300]
    asks = [
        (uuid.uuid4(), tenant.body(variations=3, overrides={"caption": f"@@generator delay={delays[n % 6]}ms"}))
        for n in range(48)
    ]
    answers = pipeline.post_many(tenant, asks)
    jobs = [answer.json()["jobId"] for answer in answers]
    with pipeline.client(tenant) as client, ThreadPoolExecutor(16) as pool:
        first = list(pool.map(lambda numbered: _cancel_when(client, *numbered), enumerate(jobs)))
        again = [client.get(f"/v1/jobs/{job}") for job in jobs]
    assert [answer.headers["etag"] for answer in again] == [answer.headers["etag"] for answer in first]
    assert [answer.content for answer in again] == [answer.content for answer in first]
    ended = Counter(answer.json()["status"] for answer in again)
    assert set(ended) <= {"completed", "canceled"}
    assert len(ended) == 2, "the race had one outcome only: cancel earlier or later"
    wrong = pipeline.rows(
        """SELECT j.job_id FROM jobs j JOIN claims c USING (job_id) JOIN credit_ledger l USING (job_id)
           CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE state = 'succeeded') AS made
                               FROM variations v WHERE v.job_id = j.job_id) v
           WHERE l.kind = 'settle' AND (j.credits_charged <> v.made * c.variation_price
             OR l.available_delta <> (c.variations - v.made) * c.variation_price
             OR l.reserved_delta <> -c.variations * c.variation_price)"""
    )
    assert wrong == []
    assert pipeline.rows("SELECT reserved, running_jobs FROM wallets") == [(0, 0)]


def _unless_away(answer: httpx.Response) -> httpx.Response | None:
    return None if answer.status_code == 503 else answer


def _cancel_when(client: httpx.Client, number: int, job: str) -> httpx.Response:
    """Cancel at once, or once something has ended; returns the job as it first is seen ended."""
    path = f"/v1/jobs/{job}"
    if number % 2:
        eventually(lambda: client.get(path).json().get("progress", 0) > 0, what="a variation ends")
    # 503 where the verdict or the cancel was not known in time: asked again, as partners do.
    answer = eventually(lambda: _unless_away(client.post(f"{path}/cancel")), what="the cancel is answered")
    assert answer.status_code in (200, 202, 409)

    def ended() -> httpx.Response | None:
        answer = client.get(path, headers={"Prefer": "wait=5"})
        return answer if answer.status_code == 200 and answer.json()["status"] != "running" else None

    return eventually(ended, what=f"job {job} ends")


def test_l_a_thousand_identical_requests_are_one_job_and_a_thousand_answers(pipeline: KilledPipeline) -> None:
    for process in ("dedup-a", "dedup-b"):
        pipeline.fork(process, "dedup")
    for role in ("generate", "project", "relay", "api"):
        pipeline.fork(role)
    pipeline.await_ready()
    tenants = [pipeline.tenant() for _ in range(5)]
    one = tenants[0].request(uuid.uuid4(), variations=4)
    # Each batch has requests of all five, in any order of theirs: whoever locks in that order deadlocks.
    others = [tenant.request(uuid.uuid4()) for _ in range(60) for tenant in (*tenants, *tenants[::-1])]
    records = [_asking(pipeline, one, f"one-{n}", n % REPLIES.partitions) for n in range(1_000)]
    records += [_asking(pipeline, request, f"other-{n}", None) for n, request in enumerate(others)]
    pipeline.publish([record for pair in zip(records[:600], records[1_000:], strict=True) for record in pair])
    pipeline.publish(records[600:1_000])
    eventually(
        lambda: pipeline.rows("SELECT count(*) FROM jobs WHERE status = 'completed'") == [(601,)], what="all end"
    )
    told = eventually(lambda: _told(pipeline, 1_000), what="a thousand are told")
    assert told == {f"one-{n}": n % REPLIES.partitions for n in range(1_000)}
    job = job_id(one)
    outcomes = Counter(event["outcome"] for _, event in pipeline.events(REPLIES))
    assert outcomes == {"accepted": 1, "replayed": 999}
    assert {event["jobId"] for _, event in pipeline.events(REPLIES)} == {str(job)}
    assert [name for name, _ in pipeline.events(ADMISSIONS, jobId=str(job))] == ["CloneAccepted"]
    assert pipeline.rows("SELECT count(*) FROM variations WHERE job_id = %s", job) == [(4,)]
    assert pipeline.rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == [(0,)]


def _asking(pipeline: KilledPipeline, request: CloneRequest, request_id: str, reply_partition: int | None) -> Outgoing:
    return outgoing(
        "CloneRequested",
        clone_record(request, requested_by="test", requested_at_ms=1_790_000_000_000),
        request_id=request_id,
        at_ms=1_790_000_000_000,
        traceparent=None,
        topic_prefix=pipeline.settings.topic_prefix,
        reply_partition=reply_partition,
    )


def _told(pipeline: KilledPipeline, count: int) -> dict[str, int] | None:
    """The partition on which each asker was told."""
    records = pipeline.records(REPLIES)
    if len(records) < count:
        return None
    assert len(records) == count
    return {
        codec.decode(raw_bytes(record.value()), REPLIES.records).record["requestId"]: record.partition() or 0
        for record in records
    }


def _start_all(pipeline: KilledPipeline) -> None:
    for role in ("api", "dedup", "generate", "project", "relay"):
        pipeline.fork(role)
    pipeline.await_ready()
