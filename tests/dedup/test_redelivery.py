"""A record is decided once: read again, it gives the bytes that it gave, whatever has changed since."""

import uuid
from collections.abc import Sequence

import pytest

from consumers.dedup.consumer import DedupHandler
from runtime.errors import BrokerUnavailable
from runtime.publishing import Outgoing
from runtime.record import Batch
from schemas.topics import REPLIES
from tests.dedup.records import Read, cancel_of, clone, job_of
from tests.dedup.stage import TOPIC_ID, Stage, dead_letters
from tests.dedup.world import VIDEO_PRICE, Project, World

_TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def _one_of_each(stage: Stage, project: Project) -> list[Read]:
    """Accepted, replayed, conflicting, refused in several ways, cancelled, and a cancel that is refused."""
    container, canceled = uuid.uuid4(), clone(project, variations=2)
    records = [
        clone(project, container, idempotencyKey="K"),
        clone(project, container),
        clone(project, container, variations=2),
        clone(project, container, idempotencyKey="late"),
        clone(project, idempotencyKey="late"),
        clone(project, variations=11),
        clone(project, orgId="acme"),
        clone(project, projectId=str(uuid.uuid4())),
        clone(project, sourcePlatformPostId="twice"),
        canceled,
        cancel_of(canceled, reason="typo"),
        cancel_of(canceled),
        cancel_of(clone(project)),
        cancel_of(canceled, jobId="soon"),
        clone(project, variations=10),
    ]
    asked = [
        record.with_headers(reply_to="5", ce_id=f"req-{number}", traceparent=_TRACEPARENT)
        for number, record in enumerate(records)
    ]
    return stage.place(*asked)


def test_redelivery_repeats_the_bytes_headers_and_event_ids(stage: Stage, world: World) -> None:
    project = world.project(credit=12 * VIDEO_PRICE)
    world.post(project.org_id, external_id="twice", platform="tiktok")
    world.post(project.org_id, external_id="twice", platform="youtube")
    records = _one_of_each(stage, project)
    first = stage.redeliver(*records)
    assert first.codes() == [
        "CloneAccepted",
        "CONFLICT",
        "IDEMPOTENCY_CONFLICT",
        "VALIDATION_FAILED",
        "VALIDATION_FAILED",
        "NOT_FOUND",
        "CONFLICT",
        "CloneAccepted",
        "CloneCanceled",
        "NOT_FOUND",
        "VALIDATION_FAILED",
        "BILLING_EXHAUSTED",
    ]
    assert len(first.replies()) == len(records)
    tables = _tables(world)

    # What would change every verdict, were it given anew.
    world.top_up(project.org_id, 100 * VIDEO_PRICE)
    world.execute("UPDATE project_layers SET status = 'archived'")
    world.execute("UPDATE idempotency_keys SET accepted_at = accepted_at - interval '20 hours'")
    world.execute("DELETE FROM source_posts WHERE external_id = 'twice' AND platform = 'youtube'")

    again = stage.redeliver(*records)
    one_by_one = [output for record in records for output in stage.redeliver(record).records]

    assert again.records == first.records
    assert one_by_one == first.records
    assert _tables(world) == tables


def _tables(world: World) -> list[list[dict[str, object]]]:
    names = ("claims", "jobs", "refusals", "cancellations", "project_ordinals", "dedup_progress")
    return [
        [*world.rows("SELECT org_id, reserved, running_jobs FROM wallets ORDER BY org_id")],
        *(world.rows(f"SELECT * FROM {name} ORDER BY 1, 2, 3") for name in names),
    ]


def test_402_then_top_up_then_redelivery_is_still_402_and_charges_nothing(stage: Stage, world: World) -> None:
    project = world.project(credit=VIDEO_PRICE - 1)
    records = stage.place(clone(project).asking(0, "req"))
    first = stage.redeliver(*records)
    assert first.codes() == ["BILLING_EXHAUSTED"]
    world.top_up(project.org_id, 1_000)
    assert stage.redeliver(*records) == first
    assert world.wallet(project.org_id) == (VIDEO_PRICE - 1 + 1_000, 0, 0)
    assert world.count("claims") == 0


def test_a_redelivered_cancel_is_published_again_after_the_job_has_ended(stage: Stage, world: World) -> None:
    request = clone(world.project())
    records = stage.place(request, cancel_of(request).asking(1, "req"))
    first = stage.redeliver(*records)
    world.end_job(job_of(request), "canceled")
    assert stage.redeliver(*records) == first


@pytest.mark.parametrize("status", ["completed", "failed", "canceled"])
def test_a_cancel_that_repeated_an_accepted_one_stays_accepted(stage: Stage, world: World, status: str) -> None:
    request = clone(world.project())
    stage.feed(request, cancel_of(request))
    inside = stage.place(cancel_of(request).asking(1, "a"), cancel_of(request).asking(1, "b"))
    later = stage.place(cancel_of(request, reason="typo").asking(1, "c"))
    first = [*stage.redeliver(*inside).records, *stage.redeliver(*later).records]
    world.end_job(job_of(request), status)
    again = stage.redeliver(*inside, *later)
    assert again.records == first
    assert [reply["outcome"] for reply in again.replies()] == ["replayed"] * 3
    assert again.names() == []
    # One that comes only now is told how the job ended, and stays refused.
    assert stage.feed(cancel_of(request)).codes() == ["CONFLICT"]


def test_a_repeated_cancel_at_the_same_offset_of_another_topic_is_another_record(stage: Stage, world: World) -> None:
    request = clone(world.project())
    stage.feed(request, cancel_of(request))
    [repeat] = stage.place(cancel_of(request).asking(1, "a"))
    stage.redeliver(repeat)
    world.end_job(job_of(request), "canceled")
    recreated = DedupHandler(
        stage.database,
        stage.recorder,
        dead_letters(),
        topic_id=uuid.uuid4(),
        topic_prefix="",
        reply_partitions=range(REPLIES.partitions),
    )
    assert stage.handled_by(recreated, repeat).codes() == ["CONFLICT"]


def test_a_replay_stays_one_after_its_idempotency_key_went_to_another_request(stage: Stage, world: World) -> None:
    project, container = world.project(), uuid.uuid4()
    records = stage.place(clone(project, container), clone(project, container, idempotencyKey="K").asking(0, "repeat"))
    first = stage.redeliver(*records)
    world.execute("UPDATE idempotency_keys SET accepted_at = accepted_at - interval '25 hours'")
    assert stage.feed(clone(project, idempotencyKey="K")).names() == ["CloneAccepted"]
    assert stage.redeliver(*records) == first
    assert world.count("refusals") == 0


def test_the_same_offset_of_another_topic_is_another_record(stage: Stage, world: World) -> None:
    project = world.project(credit=0)
    record = clone(project).at(0, 0)
    assert stage.redeliver(record).codes() == ["BILLING_EXHAUSTED"]
    world.top_up(project.org_id, VIDEO_PRICE)
    recreated = DedupHandler(
        stage.database,
        stage.recorder,
        dead_letters(),
        topic_id=uuid.uuid4(),
        topic_prefix="",
        reply_partitions=range(REPLIES.partitions),
    )
    assert stage.handled_by(recreated, record).codes() == ["CloneAccepted"]
    assert stage.redeliver(record).codes() == ["BILLING_EXHAUSTED"]


class _LosesTheFirst:
    """A broker that does not acknowledge the first publish; what it was given is kept."""

    def __init__(self) -> None:
        self.attempts: list[list[Outgoing]] = []

    def publish(self, records: Sequence[Outgoing]) -> None:
        self.attempts.append(list(records))
        if len(self.attempts) == 1:
            raise BrokerUnavailable("kafka: no acknowledgement")


def test_a_batch_that_was_committed_and_not_published_publishes_the_same_later(stage: Stage, world: World) -> None:
    project = world.project(credit=12 * VIDEO_PRICE)
    broken = Read(b"k", b"junk").at(1, 0)
    batch = Batch([*_one_of_each(stage, project), broken])
    publisher = _LosesTheFirst()
    handler = DedupHandler(
        stage.database,
        publisher,
        dead_letters(),
        topic_id=TOPIC_ID,
        topic_prefix="",
        reply_partitions=range(REPLIES.partitions),
    )
    with pytest.raises(BrokerUnavailable):
        handler.handle(batch)
    assert world.wallet(project.org_id)[2] == 2
    handler.handle(batch)
    first, second = publisher.attempts
    # The dead letter tells when it was written; everything else is the same to the byte.
    assert first[:-1] == second[:-1]
    assert first[-1].topic == second[-1].topic == "clone.dead-letters"
    assert first[-1].headers[0] == second[-1].headers[0]
    assert world.wallet(project.org_id)[2] == 2
