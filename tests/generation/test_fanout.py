"""The fan-out: records become rows, once, however often they are read."""

import uuid

import pytest

from consumers.generation.fanout import FanOutHandler
from consumers.generation.pool import Pool
from runtime.dead_letters import DeadLetters
from runtime.errors import BrokerUnavailable
from runtime.publishing import Outgoing
from runtime.record import Batch
from runtime.settings import Settings
from schemas import codec
from schemas.headers import DEAD_LETTER_REASON
from schemas.topics import DEAD_LETTERS
from storage.connection import Database
from tests.awaiting import eventually
from tests.dedup.records import Read
from tests.dedup.stage import Recorder
from tests.generation.conftest import NewPool
from tests.generation.records import accepted, canceled, news, refused
from tests.generation.world import Gate, Job, Jobs, Steered, made


class FanOut:
    """The handler in front of a pool, and its outputs."""

    def __init__(self, database: Database, recorder: Recorder, pool: Pool) -> None:
        self.recorder = recorder
        dead_letters = DeadLetters(Settings(kafka={}), stage="generate")
        self.handler = FanOutHandler(database, recorder, dead_letters, pool, topic_prefix="")

    def __call__(self, *records: Read) -> list[Outgoing]:
        before = len(self.recorder.records)
        self.handler.handle(Batch([record.at(0, offset) for offset, record in enumerate(records)]))
        return self.recorder.records[before:]


@pytest.fixture
def fan_out(database: Database, recorder: Recorder, new_pool: NewPool) -> FanOut:
    """In front of a pool that never starts, with no knowledge of pending rows: what it is given stays leased."""
    return FanOut(database, recorder, ready(new_pool(Steered(made, lease_ahead=4), start=False)))


def ready(pool: Pool) -> Pool:
    """The pool has looked and found nothing pending."""
    pool._pending_expected = False
    return pool


def test_an_accepted_job_gets_its_rows(fan_out: FanOut, jobs: Jobs) -> None:
    first, second = jobs.accept(variations=3), jobs.accept(variations=3)
    assert fan_out(accepted(first), accepted(second)) == []
    assert jobs.states(first) == ["leased"] * 3
    assert jobs.states(second) == ["leased", "pending", "pending"]


def test_a_batch_that_is_known_in_part_gets_the_rest(fan_out: FanOut, jobs: Jobs) -> None:
    known, new = jobs.accept(), jobs.accept(variations=2)
    fan_out(accepted(known))
    before = jobs.variations(known)
    fan_out(accepted(known), accepted(new))
    assert jobs.variations(known) == before
    assert len(jobs.states(new)) == 2


def test_redelivery_changes_nothing(fan_out: FanOut, jobs: Jobs) -> None:
    job = jobs.accept()
    fan_out(accepted(job), accepted(job))
    before = jobs.variations(job)
    fan_out(accepted(job))
    assert jobs.variations(job) == before


def test_what_is_made_is_what_was_claimed(fan_out: FanOut, jobs: Jobs) -> None:
    job = jobs.accept(variations=2)
    lying = codec.decode(accepted(job).value_bytes, frozenset({"CloneAccepted"})).record
    lying.update(variations=2_000_000_000, deadlineAt=2**62)
    fan_out(Read(str(job.container_id).encode(), codec.encode("CloneAccepted", lying)))
    assert jobs.states(job) == ["leased"] * 2


def test_older_pending_rows_come_before_new_jobs(database: Database, recorder: Recorder, new_pool: NewPool) -> None:
    pool = new_pool(Steered(made), start=False)
    with pool.leasing() as room:
        assert room.free == 0, "it has not looked yet"
    ready(pool)
    with pool.leasing() as room:
        assert room.free == 4
    pool.expect_pending()
    with pool.leasing() as room:
        assert room.free == 0


def test_rows_are_made_leased_where_there_is_room_in_a_moment(
    database: Database, recorder: Recorder, jobs: Jobs, new_pool: NewPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not pending, to be leased by another write."""
    gate = Gate()
    pool = new_pool(Steered(gate.make, lease_ahead=4, waits=False))
    eventually(lambda: not pool._pending_expected, what="the pool has found nothing pending")
    fan_out = FanOut(database, recorder, pool)
    fan_out(accepted(jobs.accept()))
    patiently = pool._held.await_at_most

    def await_at_most(count: int, *, timeout_seconds: float) -> None:
        gate.opened.set()
        patiently(count, timeout_seconds=60)

    monkeypatch.setattr(pool._held, "await_at_most", await_at_most)
    made_pending: list[bool] = []
    monkeypatch.setattr(pool, "expect_pending", lambda: made_pending.append(True))
    second = jobs.accept()
    fan_out(accepted(second))
    assert jobs.variations(second)[0]["worker_id"] == pool.worker_id
    assert not made_pending


def test_a_flood_that_holds_all_the_room_and_more_costs_another_organisation_one_turn_each(
    database: Database, recorder: Recorder, jobs: Jobs, new_pool: NewPool
) -> None:
    gate = Gate()
    generator = Steered(gate.make, waits=False, lease_ahead=16)
    pool = new_pool(generator)
    eventually(lambda: not pool._pending_expected, what="the pool has found nothing pending")
    fan_out = FanOut(database, recorder, pool)
    flooding, small = jobs.branded(), jobs.branded()
    flood = [jobs.accept(flooding, variations=10) for _ in range(5)]
    fan_out(*(accepted(job) for job in flood))
    eventually(lambda: generator.orders, what="the flood's first is being made")
    assert [state for job in flood for state in jobs.states(job)].count("pending") >= 30
    quiet = [jobs.accept(small, variations=variations) for variations in (3, 2)]
    fan_out(accepted(quiet[0]))
    assert jobs.states(quiet[0]) == ["leased"] * 3
    # Its share is 4. What does not fit is pending, and then nothing of its own goes past that.
    fan_out(accepted(quiet[1]))
    assert jobs.states(quiet[1]) == ["leased", "pending"]
    later = jobs.accept(small, variations=1)
    fan_out(accepted(later))
    assert jobs.states(later) == ["pending"]
    # Nor does more of the flood.
    more = jobs.accept(flooding, variations=2)
    fan_out(accepted(more))
    assert jobs.states(more) == ["pending"] * 2
    gate.opened.set()
    eventually(lambda: jobs.states(later) == ["succeeded"], what="all that is small has ended")
    made_for = [uuid.UUID(order.job_id) for order in generator.orders]
    # One of the flood was being made; then they take turns.
    first = made_for[:9]
    assert sum(first.count(job.job_id) for job in quiet) == 4, first
    everything = [*flood, *quiet, later, more]
    eventually(lambda: all({*jobs.states(job)} == {"succeeded"} for job in everything), what="everything ends")


def test_a_cancel_ends_the_job_and_is_announced_each_time(fan_out: FanOut, jobs: Jobs) -> None:
    job = jobs.accept()
    fan_out(accepted(job))
    jobs.cancel(job)
    assert news(fan_out(canceled(job))) == [(job.job_id, ())]
    assert jobs.states(job) == ["canceled"] * 3
    before = jobs.variations(job)
    assert news(fan_out(accepted(job), canceled(job))) == [(job.job_id, ())]
    assert jobs.variations(job) == before


def test_a_cancel_in_the_same_batch(fan_out: FanOut, jobs: Jobs) -> None:
    job = jobs.accept()
    jobs.cancel(job)
    fan_out(accepted(job), canceled(job))
    assert jobs.states(job) == ["canceled"] * 3


@pytest.mark.parametrize("name", ["CloneRejected", "CancelRejected"])
def test_refusals_are_skipped(fan_out: FanOut, name: str) -> None:
    record = refused("CloneRejected" if name == "CloneRejected" else "CancelRejected")
    assert fan_out(record) == []
    # Not even decoded: bytes that only begin like one are none of this stage's business.
    assert fan_out(Read(b"key", (record.value_bytes or b"")[:10])) == []


def test_poison_is_dead_lettered_and_its_neighbours_go_on(fan_out: FanOut, jobs: Jobs) -> None:
    first, second = jobs.accept(variations=1), jobs.accept(variations=1)
    wrong_key = Read(b"another", accepted(first).value_bytes)
    letters = fan_out(accepted(first), Read(b"k", b"\x00poison"), Read(b"k", None), wrong_key, accepted(second))
    assert [letter.topic for letter in letters] == [DEAD_LETTERS.name] * 3
    assert [(letter.key, letter.value) for letter in letters] == [
        (b"k", b"\x00poison"),
        (b"k", None),
        (b"another", wrong_key.value_bytes),
    ]
    assert dict(letters[2].headers)[DEAD_LETTER_REASON] == b"WRONG_KEY"
    assert jobs.states(first) == jobs.states(second) == ["leased"]


def test_a_silent_broker_repeats_the_batch_without_harm(database: Database, jobs: Jobs, new_pool: NewPool) -> None:
    class Down(Recorder):
        down = True

        def publish(self, records: object) -> None:
            if self.down:
                raise BrokerUnavailable("down")
            super().publish(records)  # type: ignore[arg-type]  # as given

    publisher = Down()
    fan_out = FanOut(database, publisher, ready(new_pool(Steered(made), start=False)))
    job, other = jobs.accept(variations=1), jobs.accept(variations=2)
    jobs.cancel(job)
    with pytest.raises(BrokerUnavailable):
        fan_out(canceled(job), accepted(other))
    publisher.down = False
    assert news(fan_out(canceled(job), accepted(other))) == [(job.job_id, ())]
    assert jobs.states(job) == ["canceled"]
    assert jobs.states(other) == ["leased"] * 2


def test_a_cancel_while_it_is_made_wins_once_it_is_written(
    database: Database, recorder: Recorder, new_pool: NewPool, jobs: Jobs
) -> None:
    gate = Gate()
    generator = Steered(gate.make)
    pool = new_pool(generator)
    fan_out = FanOut(database, recorder, pool)
    job = jobs.accept(variations=2)
    fan_out(accepted(job))
    eventually(lambda: len(generator.orders) == 2, what="both variations are being made")
    jobs.cancel(job)
    fan_out(canceled(job))
    gate.opened.set()
    eventually(lambda: len(pool._held) == 0, what="the late results were thrown away")
    assert jobs.states(job) == ["canceled"] * 2
    assert news(recorder.records) == [(job.job_id, ())]


def test_a_type_that_contradicts_the_record_is_poison(fan_out: FanOut, jobs: Jobs) -> None:
    right, wrong = jobs.accept(variations=1), jobs.accept(variations=1)
    [letter] = fan_out(
        accepted(right).with_headers(ce_type="clonepost.events.CloneAccepted"),
        accepted(wrong).with_headers(ce_type="clonepost.events.CloneCanceled"),
    )
    assert dict(letter.headers)[DEAD_LETTER_REASON] == b"WRONG_TYPE"
    assert (jobs.states(right), jobs.states(wrong)) == (["leased"], [])


def test_ids_that_are_no_uuids_are_poison(fan_out: FanOut) -> None:
    fields = codec.decode(accepted(_unknown()).value_bytes, frozenset({"CloneAccepted"})).record
    fields["jobId"] = "not-a-uuid"
    [letter] = fan_out(Read(fields["containerId"].encode(), codec.encode("CloneAccepted", fields)))
    assert dict(letter.headers)[DEAD_LETTER_REASON] == b"BAD_ID"


def _unknown() -> Job:
    return Job(uuid.uuid4(), uuid.uuid4(), uuid.uuid4(), 1)
