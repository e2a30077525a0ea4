"""Poison on every topic: one dead letter each, and the records around it are processed."""

import uuid
from functools import partial

import pytest

from bench.fuzz.raw_producer import RawProducer
from producer.publisher import ClonePublisher
from runtime.publishing import Outgoing
from runtime.record import Record, header, raw_bytes
from schemas import codec, headers
from schemas.ids import format_id
from schemas.topics import ADMISSIONS, DEAD_LETTERS, JOB_EVENTS, REQUESTS, VARIATION_RESULTS, Topic
from tests.awaiting import eventually
from tests.e2e.pipeline import Pipeline, Tenant


def letters(pipeline: Pipeline, key: bytes) -> list[Record]:
    """The dead letters of records with this key."""
    return [record for record in pipeline.records(DEAD_LETTERS) if raw_bytes(record.key()) == key]


READ_BY_STAGES = (REQUESTS, ADMISSIONS, VARIATION_RESULTS)


@pytest.mark.parametrize("topic", READ_BY_STAGES, ids=lambda topic: topic.name)
@pytest.mark.parametrize("value", [b"", b"\xff" * 40, b"\xc3\x01short", None], ids=["empty", "noise", "cut", "null"])
def test_poison_is_one_dead_letter_and_its_neighbours_are_processed(
    pipeline: Pipeline, tenant: Tenant, topic: Topic, value: bytes | None
) -> None:
    before, after = tenant.request(uuid.uuid4()), tenant.request(uuid.uuid4())
    key = str(uuid.uuid4()).encode()
    with ClonePublisher(requested_by="test", settings=pipeline.settings) as publisher:
        jobs = [publisher.request(before)]
        pipeline.publish([Outgoing(pipeline.topic(topic), key, value, headers=[("kept", b"as it came")])])
        jobs.append(publisher.request(after))
    with pipeline.client(tenant) as client:
        for job in jobs:
            assert pipeline.ended(client, format_id("job", job))["status"] == "completed"
    (letter,) = eventually(lambda: letters(pipeline, key), what="the dead letter is there")
    assert (raw_bytes(letter.value()) or b"") == (value or b"")
    assert header(letter, headers.DEAD_LETTER_TOPIC) == pipeline.topic(topic)
    assert header(letter, headers.DEAD_LETTER_REASON)
    assert header(letter, "kept") == "as it came"


def test_poison_of_the_largest_size_is_a_dead_letter_too(pipeline: Pipeline) -> None:
    key = str(uuid.uuid4()).encode()
    # What a topic takes at most, less the envelope of a batch.
    pipeline.publish([Outgoing(pipeline.topic(REQUESTS), key, b"\xff" * 1_047_000)])
    (letter,) = eventually(lambda: letters(pipeline, key), what="the dead letter is there")
    assert len(raw_bytes(letter.value()) or b"") == 1_047_000


def test_a_key_that_is_not_the_container_is_poison(pipeline: Pipeline, tenant: Tenant) -> None:
    key = str(uuid.uuid4()).encode()
    pipeline.publish([Outgoing(pipeline.topic(REQUESTS), key, _request(tenant, uuid.uuid4()))])
    (letter,) = eventually(lambda: letters(pipeline, key), what="the dead letter is there")
    assert header(letter, headers.DEAD_LETTER_REASON) == "WRONG_KEY"


def test_header_names_that_are_no_text_stop_no_stage(pipeline: Pipeline, tenant: Tenant) -> None:
    # The client cannot read such headers at all: they count as none, for poison and for what is none.
    container, keys = uuid.uuid4(), {topic.name: str(uuid.uuid4()).encode() for topic in READ_BY_STAGES}
    producer = RawProducer(pipeline.settings.bootstrap_servers)
    try:
        for topic in READ_BY_STAGES:
            producer.send(pipeline.topic(topic), keys[topic.name], b"noise", b"\xff\xfe")
        producer.send(pipeline.topic(REQUESTS), str(container).encode(), _request(tenant, container), b"\xff\xfe")
    finally:
        producer.close()
    for key in keys.values():
        (letter,) = eventually(partial(letters, pipeline, key), what="the dead letter is there")
        assert raw_bytes(letter.value()) == b"noise"
    eventually(
        lambda: [name for name, _ in pipeline.events(JOB_EVENTS, containerId=str(container))] == ["JobCompleted"],
        what="the job that was asked for with such a header ends",
    )


def test_a_type_header_that_contradicts_is_poison(pipeline: Pipeline, tenant: Tenant) -> None:
    container = uuid.uuid4()
    key = str(container).encode()
    contradiction = [(headers.CE_TYPE, b"clonepost.events.JobCompleted")]
    pipeline.publish([Outgoing(pipeline.topic(REQUESTS), key, _request(tenant, container), contradiction)])
    (letter,) = eventually(lambda: letters(pipeline, key), what="the dead letter is there")
    assert header(letter, headers.DEAD_LETTER_REASON) == "WRONG_TYPE"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"variations": 11}, "VALIDATION_FAILED"),
        ({"orgId": "acme"}, "VALIDATION_FAILED"),
        ({"orgId": str(uuid.uuid4())}, "NOT_FOUND"),
        ({"projectId": str(uuid.uuid4())}, "NOT_FOUND"),
        ({"sourcePlatformPostId": "no such post"}, "NOT_FOUND"),
        ({"deadlineAt": 1}, "DEADLINE_EXCEEDED"),
    ],
)
def test_a_well_formed_rule_breaker_is_rejected_and_no_dead_letter(
    pipeline: Pipeline, tenant: Tenant, changes: dict[str, object], code: str
) -> None:
    container = uuid.uuid4()
    key = str(container).encode()
    pipeline.publish([Outgoing(pipeline.topic(REQUESTS), key, _request(tenant, container, **changes))])
    (event,) = eventually(
        lambda: list(pipeline.events(ADMISSIONS, containerId=str(container))), what="the refusal is published"
    )
    assert (event[0], event[1]["code"]) == ("CloneRejected", code)
    assert letters(pipeline, key) == []


def _request(tenant: Tenant, container: uuid.UUID, **changes: object) -> bytes:
    record = {
        "orgId": str(tenant.org_id),
        "containerId": str(container),
        "projectId": str(tenant.project_id),
        "projectLayerId": None,
        "sourcePlatformPostId": "7301",
        "mode": "fork",
        "variations": 1,
        "overrides": None,
        "requestedBy": "test",
        "requestedAt": 1_795_000_000_000,
        "idempotencyKey": None,
        "deadlineAt": None,
    }
    return codec.encode("CloneRequested", record | changes)
