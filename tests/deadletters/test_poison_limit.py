"""A stage that meets too much poison halts before the batch has any effect, and goes on there with a higher limit."""

import uuid
from pathlib import Path

import pytest

from runtime.errors import Fatal
from runtime.poison_limit import PoisonLimit
from runtime.publishing import Outgoing
from runtime.settings import Settings
from schemas.topics import DEAD_LETTERS, REQUESTS
from tests.awaiting import eventually
from tests.e2e.pipeline import Pipeline


def test_both_the_count_and_the_share_must_be_reached() -> None:
    limit = PoisonLimit("dedup", count=10, share=0.5)
    limit.passed(0, 100)
    limit.check(20, 20)
    limit.check(9, 9)
    with pytest.raises(Fatal, match="CLONEPOST_POISON_LIMIT_COUNT"):
        limit.check(100, 100)


def test_a_batch_that_is_tried_again_counts_once() -> None:
    limit = PoisonLimit("dedup", count=10, share=0.5)
    for _ in range(5):
        limit.check(9, 9)
    limit.passed(9, 9)
    with pytest.raises(Fatal):
        limit.check(1, 1)


def test_what_was_long_ago_is_forgotten() -> None:
    limit = PoisonLimit("dedup", count=10, share=0.001)
    limit.passed(9, 9)
    for _ in range(101):
        limit.passed(0, 100)
    limit.check(9, 9)


def test_a_batch_without_poison_never_halts_a_stage() -> None:
    limit = PoisonLimit("dedup", count=1, share=0.01)
    limit.passed(5, 5)
    limit.check(0, 100)


def test_a_stage_over_its_limit_halts_and_loses_nothing(settings: Settings, tmp_path: Path) -> None:
    pipeline = Pipeline(settings, tmp_path, {"CLONEPOST_POISON_LIMIT_COUNT": "20", "CLONEPOST_LOG_FORMAT": "json"})
    keys = [str(uuid.uuid4()).encode() for _ in range(60)]
    pipeline.publish([Outgoing(pipeline.topic(REQUESTS), key, b"noise") for key in keys])
    pipeline.launch("dedup")
    eventually(lambda: "role_halted" in pipeline.log("dedup"), what="dedup halts")
    assert "clonepost dlq list --stage dedup" in pipeline.log("dedup")
    assert len(pipeline.records(DEAD_LETTERS)) < len(keys)
    pipeline.stop()
    patient = Pipeline(settings, tmp_path, {"CLONEPOST_POISON_LIMIT_COUNT": "1000"})
    patient.launch("dedup")
    eventually(lambda: len(patient.records(DEAD_LETTERS)) >= len(keys), what="every record is a dead letter")
    patient.close()
    assert {record.key() for record in patient.records(DEAD_LETTERS)} == set(keys)
    pipeline.close()
