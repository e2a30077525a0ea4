"""(k) clone.requests alone is the log that counts: admissions and results are lost in mid-run, and every job ends.

They are lost where it hurts: before their reader has read them, while it runs, and below the offsets it has committed.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from runtime.kafka_admin import KafkaAdmin
from runtime.settings import Settings
from schemas.topics import ADMISSIONS, JOBS_COMPLETED, VARIATION_RESULTS, Topic
from tests.awaiting import eventually
from tests.e2e.pipeline import Pipeline, Tenant

pytestmark = pytest.mark.slow

Lose = Callable[[Settings, Topic], None]


def truncated(settings: Settings, topic: Topic) -> None:
    """Every record is deleted; offsets go on."""
    name = settings.topic_prefix + topic.name
    ends = KafkaAdmin(settings).end_offsets(name)
    admin = AdminClient({**settings.kafka})
    for deleted in admin.delete_records([TopicPartition(name, place, end) for place, end in ends.items()]).values():
        deleted.result()


def made_anew(settings: Settings, topic: Topic) -> None:
    """The topic is deleted and made again: its offsets start from 0."""
    admin, name = AdminClient({**settings.kafka}), settings.topic_prefix + topic.name
    (deleted,) = admin.delete_topics([name]).values()
    deleted.result()
    eventually(lambda: name not in admin.list_topics(timeout=10).topics, what=f"{name} is gone")
    KafkaAdmin(settings).create_topics([topic])


@pytest.fixture
def pipeline(settings: Settings, tmp_path: Path) -> Iterator[Pipeline]:
    """Every role, in processes, with the scripted generator."""
    pipeline = Pipeline(settings, tmp_path)
    try:
        pipeline.start()
        yield pipeline
    finally:
        pipeline.close()


def posted(pipeline: Pipeline, tenant: Tenant, count: int, script: str = "") -> list[str]:
    """The job ids of that many accepted requests."""
    body = tenant.body(variations=2, overrides={"caption": f"@@generator {script}"} if script else None)
    answers = pipeline.post_many(tenant, [(uuid.uuid4(), body) for _ in range(count)])
    assert {answer.status_code for answer in answers} == {202}
    return [answer.json()["jobId"] for answer in answers]


def made(pipeline: Pipeline, jobs: int) -> bool:
    return pipeline.rows("SELECT count(*) FROM variations WHERE state = 'succeeded'") == [(2 * jobs,)]


@pytest.mark.parametrize("lose", [truncated, made_anew])
def test_admissions_and_results_are_lost_and_every_job_ends(pipeline: Pipeline, settings: Settings, lose: Lose) -> None:
    tenant = pipeline.tenant()
    with pipeline.client(tenant) as client:
        jobs = posted(pipeline, tenant, 6)
        for job in jobs:
            pipeline.ended(client, job)

        # Nobody has read these admissions, and nobody ever will.
        pipeline.stop("generate")
        jobs += posted(pipeline, tenant, 8)
        lose(settings, ADMISSIONS)

        # Nor these results.
        pipeline.stop("project")
        pipeline.launch("generate")
        eventually(lambda: made(pipeline, len(jobs)), what="the sweeper found the jobs, and they were made")
        lose(settings, VARIATION_RESULTS)
        pipeline.launch("project")

        # Both at once, under processes at work.
        jobs += posted(pipeline, tenant, 8, "delay=2s")
        lose(settings, ADMISSIONS)
        lose(settings, VARIATION_RESULTS)
        jobs += posted(pipeline, tenant, 4)

        assert Counter(pipeline.ended(client, job)["status"] for job in jobs) == {"completed": len(jobs)}
    eventually(
        lambda: len(list(pipeline.events(JOBS_COMPLETED, orgId=str(tenant.org_id)))) >= len(jobs),
        what="the completion events",
    )
    completions = Counter(record["jobId"] for _, record in pipeline.events(JOBS_COMPLETED, orgId=str(tenant.org_id)))
    ids = {str(row[0]) for row in pipeline.rows("SELECT job_id FROM claims")}
    assert completions == dict.fromkeys(ids, 1)
    assert len(ids) == len(jobs)
    assert pipeline.rows("SELECT reserved, running_jobs FROM wallets WHERE org_id = %s", tenant.org_id) == [(0, 0)]
