"""Every role with a schema registry: written in the Confluent wire format, read in both, on real topics."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from producer.ingest.requests import clone_record, outgoing
from producer.publisher import ClonePublisher
from runtime.publishing import Outgoing
from runtime.record import Record, header, raw_bytes
from schemas import codec
from schemas.headers import DEAD_LETTER_REASON
from schemas.topics import (
    ADMISSIONS,
    DEAD_LETTERS,
    JOB_EVENTS,
    JOBS_COMPLETED,
    REPLIES,
    REQUESTS,
    VARIATION_RESULTS,
)
from tests.awaiting import eventually
from tests.e2e.pipeline import Pipeline, Tenant
from tests.e2e.running import running_pipeline
from tests.registry.apicurio import Apicurio
from tests.registry.gate import Gate, opened

WRITTEN = (REQUESTS, REPLIES, ADMISSIONS, VARIATION_RESULTS, JOB_EVENTS, JOBS_COMPLETED)


@pytest.fixture(scope="module")
def way(apicurio: Apicurio) -> Iterator[Gate]:
    """The roles' way to the registry."""
    with opened(apicurio.url) as gate:
        yield gate


@pytest.fixture(scope="module")
def pipeline(kafka: str, postgres: str, way: Gate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Every role, with a registry."""
    folder: Path = tmp_path_factory.mktemp("registry")
    registry = {"SCHEMA_REGISTRY_URL": way.url}
    with running_pipeline(kafka, postgres, folder, registry, schema_registry={"url": way.url}) as pipeline:
        yield pipeline


@pytest.fixture
def tenant(pipeline: Pipeline) -> Tenant:
    return pipeline.tenant()


@pytest.fixture
def confluent(apicurio: Apicurio) -> Iterator[SchemaRegistryClient]:
    """Another system's client of the registry."""
    # By itself this client waits for ever: an answer that does not come is asked for again on another connection.
    with SchemaRegistryClient({"url": apicurio.url, "timeout": 10, "max.retries": 5}) as client:
        yield client


def completed(pipeline: Pipeline, tenant: Tenant, container: uuid.UUID) -> dict[str, Any]:
    with pipeline.client(tenant) as client:

        def job() -> str | None:
            answer = client.get(f"/v1/content/{container}")
            return str(answer.json()["jobId"]) if answer.status_code == 200 else None

        return pipeline.ended(client, eventually(job, what=f"{container} is accepted"))


def test_every_topic_carries_the_wire_format_and_others_read_it(
    pipeline: Pipeline, tenant: Tenant, confluent: SchemaRegistryClient
) -> None:
    container = uuid.uuid4()
    with pipeline.client(tenant) as client:
        answer = client.post(f"/v1/content/{container}/clone-from-post", json=tenant.body(variations=2))
        assert answer.status_code == 202
        assert pipeline.ended(client, answer.json()["jobId"])["status"] == "completed"
        # The verdict came over clone.replies: a refusal is told at once.
        refused = client.post(
            f"/v1/content/{uuid.uuid4()}/clone-from-post", json=tenant.body(projectId=str(uuid.uuid4()))
        )
        assert refused.status_code == 404
    eventually(lambda: pipeline.records(JOBS_COMPLETED), what="the completion is relayed")
    read = AvroDeserializer(confluent)
    for topic in WRITTEN:
        values = [raw_bytes(record.value()) for record in pipeline.records(topic)]
        assert values, topic.name
        for value in values:
            assert value is not None
            assert value[0] == 0, topic.name
            assert read(value, SerializationContext(topic.name, MessageField.VALUE))


def as_confluent(pipeline: Pipeline, confluent: SchemaRegistryClient, record: Any) -> bytes:
    """What Confluent's own serializer makes, with its default subject and its own registration."""
    serialize = AvroSerializer(confluent, json.dumps(codec.schema_json("CloneRequested")))
    value = serialize(record, SerializationContext(pipeline.topic(REQUESTS), MessageField.VALUE))
    assert isinstance(value, bytes)
    return value


def test_both_framings_are_read_whoever_wrote_them(
    pipeline: Pipeline, tenant: Tenant, confluent: SchemaRegistryClient
) -> None:
    by_publisher, by_confluent, by_hand = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    with ClonePublisher(requested_by="test", settings=pipeline.settings) as publisher:
        publisher.request(tenant.request(by_publisher))
    record = clone_record(tenant.request(by_confluent), requested_by="test", requested_at_ms=1)
    pipeline.publish(
        [Outgoing(pipeline.topic(REQUESTS), str(by_confluent).encode(), as_confluent(pipeline, confluent, record))]
    )
    record = clone_record(tenant.request(by_hand), requested_by="test", requested_at_ms=1)
    # This publisher has no registry: a single object.
    pipeline.publish(
        [
            outgoing(
                "CloneRequested",
                record,
                request_id=str(uuid.uuid4()),
                at_ms=1,
                traceparent=None,
                topic_prefix=pipeline.settings.topic_prefix,
            )
        ]
    )
    for container in (by_publisher, by_confluent, by_hand):
        assert completed(pipeline, tenant, container)["status"] == "completed"
    framings = {
        (raw_bytes(record.key()), (raw_bytes(record.value()) or b"")[:1]) for record in pipeline.records(REQUESTS)
    }
    assert {(str(by_publisher).encode(), b"\x00"), (str(by_confluent).encode(), b"\x00")} <= framings
    assert (str(by_hand).encode(), b"\xc3") in framings


def test_the_command_line_shows_what_is_in_a_topic(pipeline: Pipeline, tenant: Tenant, way: Gate) -> None:
    container = uuid.uuid4()
    with ClonePublisher(requested_by="test", settings=pipeline.settings) as publisher:
        publisher.request(tenant.request(container))
    shown = subprocess.run(
        [sys.executable, "-m", "clonepost", "tail", REQUESTS.name, "--from-beginning", "--until-end"],
        env={
            **os.environ,
            "KAFKA_BOOTSTRAP_SERVERS": pipeline.settings.bootstrap_servers,
            "CLONEPOST_TOPIC_PREFIX": pipeline.settings.topic_prefix,
            "SCHEMA_REGISTRY_URL": way.url,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in shown.stdout.splitlines()]
    [ours] = [line for line in lines if line["key"] == str(container)]
    assert (ours["record"], ours["value"]["containerId"]) == ("CloneRequested", str(container))


def test_an_unknown_id_is_poison_with_its_bytes_unchanged(pipeline: Pipeline, tenant: Tenant) -> None:
    key, value = str(uuid.uuid4()).encode(), b"\x00\x7f\xff\xff\xf0" + b"whatever"
    pipeline.publish(
        [Outgoing(pipeline.topic(topic), key, value) for topic in (REQUESTS, ADMISSIONS, VARIATION_RESULTS)]
    )

    def letters() -> list[Record]:
        return [letter for letter in pipeline.records(DEAD_LETTERS) if letter.key() == key]

    eventually(lambda: len(letters()) == 3, what="three dead letters")
    assert {raw_bytes(letter.value()) for letter in letters()} == {value}
    assert {header(letter, DEAD_LETTER_REASON) for letter in letters()} == {"UNKNOWN_SCHEMA_ID"}
    container = uuid.uuid4()
    with ClonePublisher(requested_by="test", settings=pipeline.settings) as publisher:
        publisher.request(tenant.request(container))
    assert completed(pipeline, tenant, container)["status"] == "completed"


def test_poison_in_the_wire_format_keeps_it(
    pipeline: Pipeline, tenant: Tenant, confluent: SchemaRegistryClient
) -> None:
    record = clone_record(tenant.request(uuid.uuid4()), requested_by="test", requested_at_ms=1)
    key, value = b"not its container", as_confluent(pipeline, confluent, record)
    pipeline.publish([Outgoing(pipeline.topic(REQUESTS), key, value)])
    [letter] = eventually(
        lambda: [letter for letter in pipeline.records(DEAD_LETTERS) if letter.key() == key], what="the dead letter"
    )
    assert raw_bytes(letter.value()) == value
    assert header(letter, DEAD_LETTER_REASON) == "WRONG_KEY"


def test_a_registry_that_is_away_stalls_what_it_must_be_asked_for(
    pipeline: Pipeline, tenant: Tenant, apicurio: Apicurio, way: Gate
) -> None:
    dead_before = len(pipeline.records(DEAD_LETTERS))
    known, new = uuid.uuid4(), uuid.uuid4()
    # Another team's wording of the schema: an id that no role has met.
    schema = {**codec.schema_json("CloneRequested"), "doc": f"Team {new}"}
    number = apicurio.register(f"team-{new}", schema)
    single = codec.encode(
        "CloneRequested",
        clone_record(tenant.request(new), requested_by="test", requested_at_ms=1),
    )
    with ClonePublisher(requested_by="test", settings=pipeline.settings) as publisher:
        way.close()
        # What has been met goes on.
        publisher.request(tenant.request(known))
        assert completed(pipeline, tenant, known)["status"] == "completed"
    stalls = pipeline.log("dedup").count("stage_stalled")
    pipeline.publish(
        [Outgoing(pipeline.topic(REQUESTS), str(new).encode(), b"\x00" + number.to_bytes(4, "big") + single[10:])]
    )
    eventually(lambda: pipeline.log("dedup").count("stage_stalled") > stalls + 1, what="the stage stalls")
    assert "the schema registry" in pipeline.log("dedup")
    way.open()
    assert completed(pipeline, tenant, new)["status"] == "completed"
    assert len(pipeline.records(DEAD_LETTERS)) == dead_before
