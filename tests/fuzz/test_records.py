"""Hostile records: each ends as a decision or as a dead letter, and the fuzzer notices when one does not."""

import itertools
from collections.abc import Iterator

import pytest

from bench.checker import System, avro
from bench.checker.avro import Undecodable
from bench.fuzz.intake import read_all
from bench.fuzz.records import TOPICS, Hostile, hostile_records
from bench.fuzz.target import hire
from bench.fuzz.through_kafka import feed
from bench.load import make_tenants
from schemas import codec
from schemas.topics import ADMISSIONS, REQUESTS, VARIATION_RESULTS
from tests.e2e.conftest import pipeline as pipeline
from tests.e2e.pipeline import Pipeline

SEED = 20
JOB = "0b8f7c1e-3f1d-4c55-9b0e-5a6a54e2f7aa"


def some(records: int) -> Iterator[Hostile]:
    return itertools.islice(hostile_records(SEED, make_tenants(seed=SEED)), records)


def test_the_same_seed_gives_the_same_records_of_every_kind_for_every_topic() -> None:
    records = list(some(5_000))
    assert records == list(some(5_000))
    assert {record.topic for record in records} == set(TOPICS)
    assert len({record.how for record in records}) > 30


def test_every_intake_decides_or_dead_letters_as_the_checker_says() -> None:
    tally = read_all(some(5_000))
    assert tally.findings == []
    assert tally.decisions.total() + tally.dead_letters.total() == tally.records == 5_000
    assert tally.ok


def test_a_stage_that_would_die_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("not meant")

    monkeypatch.setattr(codec, "decode", broken)
    tally = read_all(some(10))
    assert not tally.ok
    assert "RuntimeError: not meant" in tally.findings[0]


@pytest.mark.parametrize(
    ("topic", "name", "changes", "header", "reason"),
    [
        (ADMISSIONS.name, "CloneCanceled", {}, b"\xff", "WRONG_TYPE"),
        (ADMISSIONS.name, "CloneCanceled", {"jobId": JOB.replace("-", "")}, None, "BAD_ID"),
        (VARIATION_RESULTS.name, "VariationsFinished", {"jobId": f"{{{JOB}}}"}, None, "BAD_ID"),
        (VARIATION_RESULTS.name, "VariationsFinished", {"jobId": f"urn:uuid:{JOB}"}, None, "BAD_ID"),
    ],
)
def test_what_was_taken_for_a_decision_is_a_dead_letter(
    topic: str, name: str, changes: dict[str, object], header: bytes | None, reason: str
) -> None:
    fields: dict[str, object] = {"jobId": JOB, "indexes": [0]}
    if name == "CloneCanceled":
        fields = {"eventId": JOB, "jobId": JOB, "orgId": JOB, "containerId": JOB, "requestedBy": "x", "reason": None}
        fields["canceledAt"] = 1
    headers = [] if header is None else [("ce_type", header)]
    record = Hostile(topic, JOB.encode(), avro.encode(name, fields | changes), [*headers], "found before")
    tally = read_all([record])
    assert tally.findings == []
    assert list(tally.dead_letters) == [f"{topic} {reason}"]


@pytest.mark.parametrize("branch", [b"\x01", b"\x03"], ids=["-1", "-2"])
def test_the_checker_does_not_take_a_branch_below_zero(branch: bytes) -> None:
    # fastavro counts it from the end, as Python does.
    fields = {"eventId": JOB, "jobId": JOB, "orgId": JOB, "containerId": JOB, "requestedBy": "x", "canceledAt": 1}
    good = avro.encode("CloneCanceled", fields | {"reason": None})
    assert avro.decode(good)[0] == "CloneCanceled"
    with pytest.raises(Undecodable):
        avro.decode(good[:-1] + branch + b"\x00")


def test_through_kafka_the_counts_meet(pipeline: Pipeline) -> None:
    url = pipeline.settings.database_url
    assert url is not None
    kafka = {"bootstrap.servers": pipeline.settings.bootstrap_servers, "log_level": "0"}
    system = System(kafka, url.get_secret_value(), pipeline.settings.topic_prefix)
    sent = feed(system, hire(url.get_secret_value(), SEED), 400, seed=SEED, say=lambda _: None)
    assert sent.verdict.ok, str(sent.verdict)
    assert sent.ok, sent
    assert sent.records.total() + sent.too_large == 420
    assert set(sent.decisions) == set(sent.dead_letters) == {REQUESTS.name, ADMISSIONS.name, VARIATION_RESULTS.name}
