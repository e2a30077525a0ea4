"""`ClonePublisher`: what an internal system asks is durable on return, and judged by the same rules as HTTP."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clonepost.localstack.ports import free_port
from producer import ClonePublisher
from runtime.errors import BrokerUnavailable
from runtime.partitioner import partition_of
from runtime.record import Record, header_pairs, raw_bytes
from runtime.settings import Settings
from runtime.tailing import tail
from schemas import codec
from schemas.canonical import CloneRequest, Overrides, job_id
from schemas.ids import ContainerId, JobId, OrgId, ProjectId, format_id
from schemas.request_rules import RequestInvalid
from schemas.topics import REQUESTS

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "publish_clone.py"


@pytest.fixture
def publisher(settings: Settings) -> Iterator[ClonePublisher]:
    """A publisher of a system called tests."""
    with ClonePublisher(requested_by="tests", settings=settings) as publisher:
        yield publisher


def request() -> CloneRequest:
    return CloneRequest(OrgId(uuid.uuid4()), ContainerId(uuid.uuid4()), ProjectId(uuid.uuid4()), "7301")


def published(settings: Settings) -> list[Record]:
    topic = settings.topic_prefix + REQUESTS.name
    return list(tail(settings, topic, partitions=REQUESTS.partitions, from_beginning=True, until_end=True))


def decoded(record: Record) -> tuple[str, dict[str, Any]]:
    found = codec.decode(raw_bytes(record.value()), REQUESTS.records)
    return found.name, found.record


def test_a_request_is_in_the_log_on_return(publisher: ClonePublisher, settings: Settings) -> None:
    asked = request()._replace(mode="reimagine", variations=3, overrides=Overrides(cta=""))
    job = publisher.request(asked, idempotency_key="k", deadline_at_ms=1_999_999_999_999)
    (record,) = published(settings)
    name, fields = decoded(record)
    assert name == "CloneRequested"
    assert isinstance(fields.pop("requestedAt"), int)
    assert fields == {
        "orgId": str(asked.org_id),
        "containerId": str(asked.container_id),
        "projectId": str(asked.project_id),
        "projectLayerId": None,
        "sourcePlatformPostId": "7301",
        "mode": "reimagine",
        "variations": 3,
        "overrides": {"caption": None, "cta": "", "voiceOverScript": None},
        "requestedBy": "tests",
        "idempotencyKey": "k",
        "deadlineAt": 1_999_999_999_999,
    }
    assert job == job_id(asked)
    key = str(asked.container_id).encode()
    assert raw_bytes(record.key()) == key
    assert record.partition() == partition_of(key, REQUESTS.partitions)
    headers = dict(header_pairs(record))
    assert headers["ce_type"] == b"clonepost.events.CloneRequested"
    assert {"ce_id", "ce_source", "ce_time", "traceparent"} < headers.keys()
    assert "reply_to" not in headers


def test_asking_again_names_the_same_job(publisher: ClonePublisher) -> None:
    asked = request()
    assert publisher.request(asked) == publisher.request(asked._replace(mode="fork"))


def test_the_job_id_is_that_of_the_normalised_request(publisher: ClonePublisher) -> None:
    post = uuid.uuid4()
    asked = request()._replace(source=format_id("pp", post))
    assert publisher.request(asked) == job_id(asked._replace(source=str(post)))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"variations": 11}, "variations"),
        ({"variations": 0}, "variations"),
        ({"mode": "copy"}, "mode"),
        ({"source": ""}, "sourcePlatformPostId"),
        ({"source": "x" * 129}, "sourcePlatformPostId"),
        ({"overrides": Overrides(caption="x" * 2_201)}, "overrides.caption"),
        ({"overrides": Overrides(cta="\x00")}, "overrides.cta"),
        ({"overrides": Overrides(cta="\ud800")}, "overrides.cta"),
    ],
)
def test_a_malformed_request_is_told_to_the_caller_and_published_to_nobody(
    publisher: ClonePublisher, settings: Settings, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(RequestInvalid) as error:
        publisher.request(request()._replace(**changes))
    assert [problem.field for problem in error.value.problems] == [field]
    assert published(settings) == []


def test_a_caller_without_a_name_or_with_a_bad_key_is_told(settings: Settings, publisher: ClonePublisher) -> None:
    with ClonePublisher(requested_by="", settings=settings) as nameless, pytest.raises(RequestInvalid) as error:
        nameless.request(request())
    assert [problem.field for problem in error.value.problems] == ["requestedBy"]
    with pytest.raises(RequestInvalid) as error:
        publisher.request(request(), idempotency_key="x" * 256)
    assert [problem.field for problem in error.value.problems] == ["idempotencyKey"]


def test_a_cancel_is_in_the_log_on_return(publisher: ClonePublisher, settings: Settings) -> None:
    org, container, job = OrgId(uuid.uuid4()), ContainerId(uuid.uuid4()), JobId(uuid.uuid4())
    publisher.cancel(org, container, job, reason="changed our minds")
    (record,) = published(settings)
    name, fields = decoded(record)
    assert name == "CloneCancelRequested"
    assert (fields["orgId"], fields["jobId"], fields["reason"]) == (str(org), str(job), "changed our minds")
    assert raw_bytes(record.key()) == str(container).encode()


def test_without_a_broker_the_outcome_is_unknown_and_that_is_said() -> None:
    kafka = {"bootstrap.servers": f"127.0.0.1:{free_port()}", "log_level": "0", "delivery.timeout.ms": "300"}
    with ClonePublisher(requested_by="tests", settings=Settings(kafka=kafka)) as publisher:
        for _ in range(2):
            with pytest.raises(BrokerUnavailable):
                publisher.request(request())


def run_example(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "KAFKA_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "CLONEPOST_TOPIC_PREFIX": settings.topic_prefix,
    }
    command = [sys.executable, str(EXAMPLE), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_example_runs(settings: Settings) -> None:
    org, project = uuid.uuid4(), uuid.uuid4()
    ran = run_example(settings, "--organization", str(org), "--project", format_id("proj", project), "--source", "7301")
    assert ran.returncode == 0, ran.stderr
    (record,) = published(settings)
    _, fields = decoded(record)
    assert (fields["orgId"], fields["projectId"], fields["variations"]) == (str(org), str(project), 3)
    assert format_id("cnt", uuid.UUID(fields["containerId"])) in ran.stdout


def test_the_example_says_what_is_wrong(settings: Settings) -> None:
    ids = ("--organization", str(uuid.uuid4()), "--project", str(uuid.uuid4()))
    for arguments, said in (
        ((*ids, "--source", "x", "--variations", "11"), "variations must be an integer from 1 to 10"),
        ((*ids[:3], "nonsense", "--source", "x"), "must be a UUID"),
    ):
        ran = run_example(settings, *arguments)
        assert ran.returncode == 2
        assert said in ran.stderr
        assert "Traceback" not in ran.stderr
