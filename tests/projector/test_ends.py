"""How a job ends, what it costs, and that nothing about it ever goes back."""

import itertools
import random
from typing import Any

import pytest

from consumers.projector.transitions import STAGES
from schemas import codec
from schemas.events import EventName
from schemas.ids import JobId, event_id
from schemas.topics import JOB_EVENTS
from storage.connection import Database
from tests.dedup.world import VIDEO_PRICE
from tests.generation.world import TRACE
from tests.projector.stage import Accepted, Stage, unknown, wake_up

_ENDS = {"S": "succeeded", "F": "failed", "C": "canceled"}


@pytest.mark.parametrize(
    ("ends", "status", "event"),
    [
        ("SSS", "completed", "JobCompleted"),
        ("FSF", "completed", "JobCompleted"),
        ("FFF", "failed", "JobFailed"),
        ("SSC", "canceled", "JobCanceled"),
        ("FFC", "canceled", "JobCanceled"),
        ("CCC", "canceled", "JobCanceled"),
    ],
)
def test_a_job_ends_as_its_variations_did(
    stage: Stage, jobs: Accepted, database: Database, ends: str, status: str, event: EventName
) -> None:
    job = jobs.reserved(database, variations=3)
    jobs.all_end(job, *(_ENDS[letter] for letter in ends))

    published = stage.feed(wake_up(job, 0, 1, 2))

    row = jobs.job(job)
    assert (row["status"], row["stage"], row["progress"]) == (status, "finalizing", 1.0)
    charged = ends.count("S") * VIDEO_PRICE
    assert row["credits_charged"] == charged
    assert jobs.settlements(job) == [(3 * VIDEO_PRICE - charged, -3 * VIDEO_PRICE)]
    assert jobs.wallet(job.org_id) == (1_000_000 - charged, 0, 0)
    assert (row["succeeded"], row["failed"], row["canceled"]) == tuple(ends.count(letter) for letter in "SFC")
    [(name, record)] = published.events()
    assert name == event
    assert record["eventId"] == str(event_id(JobId(job.job_id), event))
    assert (record["variationsSucceeded"], record["variationsFailed"]) == (ends.count("S"), ends.count("F"))
    assert record["creditsCharged"] == charged
    (outgoing,) = published.of_jobs()
    assert outgoing.key == str(job.container_id).encode()
    assert dict(outgoing.headers)["traceparent"] == TRACE.encode()


def test_only_a_completed_job_is_in_the_outbox_with_the_very_bytes_of_its_event(
    stage: Stage, jobs: Accepted, database: Database
) -> None:
    completed, failed = (jobs.reserved(database, variations=2) for _ in range(2))
    jobs.all_end(completed, "succeeded", "failed")
    jobs.all_end(failed, "failed", "failed")
    published = stage.feed(wake_up(completed, 0, 1), wake_up(failed, 0, 1))
    assert jobs.outbox(failed) == []
    (row,) = jobs.outbox(completed)
    (outgoing,) = [r for r in published.of_jobs() if r.key == str(completed.container_id).encode()]
    assert bytes(row["record_value"]) == outgoing.value
    assert row["event_id"] == jobs.job(completed)["completion_event_id"]
    record = codec.decode(outgoing.value, JOB_EVENTS.records).record
    assert [(one["index"], one["status"], one["errorCode"]) for one in record["variations"]] == [
        (0, "completed", None),
        (1, "failed", "PROVIDER_ERROR"),
    ]
    assert record["generator"] == "steered/1"


def test_a_failed_job_names_the_first_reason_or_its_deadline(stage: Stage, jobs: Accepted, database: Database) -> None:
    by_provider, late = (jobs.reserved(database, variations=2) for _ in range(2))
    jobs.stands(by_provider, 0, "failed", error=("PROVIDER_ERROR", "It said no."))
    jobs.stands(by_provider, 1, "failed", error=("INTERNAL", "A defect."))
    jobs.stands(late, 0, "failed")
    jobs.stands(late, 1, "failed", error=("DEADLINE_EXCEEDED", "Too late."))
    stage.feed(wake_up(by_provider, 0), wake_up(late, 0))
    assert (jobs.job(by_provider)["error_code"], jobs.job(by_provider)["error_message"]) == (
        "PROVIDER_ERROR",
        "It said no.",
    )
    assert jobs.job(late)["error_code"] == "DEADLINE_EXCEEDED"


def test_a_job_runs_until_its_last_variation_has_ended(stage: Stage, jobs: Accepted, database: Database) -> None:
    job = jobs.reserved(database, variations=3)
    for index in range(2):
        jobs.stands(job, index, "succeeded")
        assert stage.feed(wake_up(job, index)).records == []
        row = jobs.job(job)
        assert (row["status"], row["stage"], row["progress"]) == ("running", "generating", (index + 1) / 3)
    assert jobs.settlements(job) == []
    assert jobs.wallet(job.org_id) == (1_000_000 - 3 * VIDEO_PRICE, 3 * VIDEO_PRICE, 1)
    jobs.stands(job, 2, "failed")
    assert stage.feed(wake_up(job, 2)).names() == ["JobCompleted"]


def test_a_wake_up_without_news_writes_nothing(stage: Stage, jobs: Accepted, database: Database) -> None:
    job = jobs.reserved(database, variations=2)
    before = jobs.job(job)
    stage.feed(wake_up(job, 0), wake_up(job, 1))
    assert jobs.job(job) == before


def test_a_wake_up_for_a_job_that_nobody_accepted_is_passed_over(
    stage: Stage, jobs: Accepted, database: Database
) -> None:
    job = jobs.reserved(database, variations=1)
    jobs.all_end(job, "succeeded")
    published = stage.feed(unknown(), wake_up(job, 0), unknown())
    assert published.names() == ["JobCompleted"]
    assert published.dead_letters() == []


def test_an_index_that_a_wake_up_does_not_name_counts_all_the_same(
    stage: Stage, jobs: Accepted, database: Database
) -> None:
    """The record of the other variation was lost, or comes later: the rows are what counts."""
    job = jobs.reserved(database, variations=2)
    jobs.all_end(job, "succeeded", "succeeded")
    assert stage.feed(wake_up(job, 1)).names() == ["JobCompleted"]
    assert stage.feed(wake_up(job, 0)).records == []


@pytest.mark.parametrize("seed", range(8))
def test_stage_progress_and_version_only_rise(stage: Stage, jobs: Accepted, database: Database, seed: int) -> None:
    """Variations go forth and back as leases are lost, the projector looks at any moment, and again."""
    chance = random.Random(seed)
    job = jobs.reserved(database, variations=4)
    left = list(range(4))
    seen = [jobs.job(job)]
    while left:
        index = chance.choice(left)
        state = chance.choice(["pending", "leased", "leased", "leased", "succeeded", "failed", "canceled"])
        step = chance.choice([None, "generating", "rendering"]) if state == "leased" else None
        jobs.stands(job, index, state, step=step)
        if state in _ENDS.values():
            left.remove(index)
        for _ in range(chance.randrange(3)):
            stage.feed(wake_up(job, index))
            seen.append(jobs.job(job))
    stage.feed(wake_up(job, 0))
    seen += [jobs.job(job)]
    stage.feed(wake_up(job, 0))
    assert jobs.job(job) == seen[-1]
    assert seen[-1]["status"] != "running"
    for earlier, later in itertools.pairwise(seen):
        assert _standing(earlier) <= _standing(later)
        changed = {name for name in later if later[name] != earlier[name]} - {"updated_at"}
        assert (later["version"] - earlier["version"]) == (1 if changed else 0)


def _standing(row: dict[str, Any]) -> tuple[int, float]:
    assert 0 <= row["progress"] <= 1
    return STAGES.index(row["stage"]), row["progress"]
