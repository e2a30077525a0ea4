"""What a batch is: duplicates inside and across batches, poison among good records, and the progress that it moves."""

import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from runtime import failpoint
from schemas import headers
from storage.connection import Connection, Database
from tests.dedup.records import Read, clone
from tests.dedup.stage import Outputs, Stage
from tests.dedup.world import VIDEO_PRICE, World


def _split(stage: Stage, records: list[Read], sizes: list[int]) -> Outputs:
    outputs = Outputs([])
    for size in sizes:
        outputs.records.extend(stage.feed(*records[:size]).records)
        records = records[size:]
    assert not records
    return outputs


def _identical(stage: Stage, world: World, sizes: list[int]) -> None:
    project, container = world.project(), uuid.uuid4()
    records = [clone(project, container, variations=3).asking(n % 16, f"req-{n}") for n in range(100)]
    outputs = _split(stage, records, sizes)
    assert outputs.codes() == ["CloneAccepted"]
    assert [reply["requestId"] for reply in outputs.replies()] == [f"req-{n}" for n in range(100)]
    assert [reply["outcome"] for reply in outputs.replies()] == ["accepted"] + ["replayed"] * 99
    assert len({reply["jobId"] for reply in outputs.replies()}) == 1
    assert [r.partition for r in outputs.records if r.topic == "clone.replies"] == [n % 16 for n in range(100)]
    assert world.wallet(project.org_id)[1:] == (3 * VIDEO_PRICE, 1)


def test_a_hundred_identical_requests_in_one_batch_are_one_job(stage: Stage, world: World) -> None:
    _identical(stage, world, [100])


def test_a_hundred_identical_requests_over_many_batches_are_one_job(stage: Stage, world: World) -> None:
    _identical(stage, world, [1, 2, 7, 40, 50])


def _different(stage: Stage, world: World, sizes: list[int]) -> None:
    project, container = world.project(), uuid.uuid4()
    changes = [{"variations": n % 10 + 1, "sourcePlatformPostId": str(project.post_id)} for n in range(10)]
    captions = [{"caption": f"caption {n}", "cta": None, "voiceOverScript": None} for n in range(10)]
    records = [clone(project, container, overrides=c, **v).asking(0) for c in captions for v in changes]
    outputs = _split(stage, records, sizes)
    assert outputs.codes() == ["CloneAccepted"] + ["CONFLICT"] * 99
    assert Counter(reply["code"] for reply in outputs.replies()) == {None: 1, "CONFLICT": 99}
    assert world.wallet(project.org_id)[1:] == (VIDEO_PRICE, 1)
    assert world.rows("SELECT record_offset FROM claims") == [{"record_offset": 0}]


def test_of_a_hundred_different_requests_in_one_batch_the_first_wins(stage: Stage, world: World) -> None:
    _different(stage, world, [100])


def test_of_a_hundred_different_requests_over_many_batches_the_first_wins(stage: Stage, world: World) -> None:
    _different(stage, world, [1, 33, 33, 33])


def test_poison_is_dead_lettered_once_and_its_neighbours_are_judged(stage: Stage, world: World) -> None:
    project = world.project()
    junk = Read(b"key", b"\x01junk", (("x", b"\xff"), ("ce_id", b"theirs"), ("nothing", None)))
    tombstone = Read(b"key", None)
    outputs = stage.feed(clone(project), junk, clone(project), tombstone, clone(project))
    assert outputs.codes() == ["CloneAccepted"] * 3
    letters = outputs.dead_letters()
    assert [(letter.key, letter.value) for letter in letters] == [(b"key", b"\x01junk"), (b"key", None)]
    names = [dict(letter.headers) for letter in letters]
    assert [n[headers.DEAD_LETTER_OFFSET] for n in names] == [b"1", b"3"]
    assert [n[headers.DEAD_LETTER_REASON] for n in names] == [b"UNKNOWN_FRAMING", b"TOMBSTONE"]
    assert ("x", b"\xff") in letters[0].headers
    assert world.rows("SELECT next_offset FROM dedup_progress") == [{"next_offset": 5}]


def test_a_batch_of_poison_alone_moves_the_progress(stage: Stage, world: World) -> None:
    assert len(stage.feed(Read(b"k", b"junk"), Read(b"k", b"junk")).dead_letters()) == 2
    assert world.rows("SELECT next_offset FROM dedup_progress") == [{"next_offset": 2}]


class _Counting(Database):
    """Counts the transactions that are opened."""

    transactions = 0

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        self.transactions += 1
        with super().transaction() as connection:
            yield connection


def test_progress_moves_at_a_partitions_end_and_an_idle_stage_asks_nothing(world: World, database_url: str) -> None:
    database = _Counting(database_url, application_name="test")
    stage = Stage(database, world)
    handler = stage.handler()

    def progress() -> list[tuple[int, int]]:
        rows = world.rows("SELECT partition, next_offset FROM dedup_progress ORDER BY partition")
        return [(row["partition"], row["next_offset"]) for row in rows]

    # Control records make an end lie beyond the last record.
    stage.handled_by(handler, clone(world.project()).at(3, 10), ends={3: 12, 5: 0})
    assert progress() == [(3, 12)]
    stage.handled_by(handler, ends={3: 14, 4: 7})
    assert progress() == [(3, 14), (4, 7)]
    before = database.transactions
    for _ in range(3):
        stage.handled_by(handler, ends={3: 14, 4: 7, 5: 0})
    assert database.transactions == before
    database.close()


def test_progress_never_moves_back(stage: Stage, world: World) -> None:
    project = world.project()
    records = stage.place(*(clone(project) for _ in range(5)))
    stage.redeliver(*records)
    before = world.rows("SELECT xmin::text, next_offset FROM dedup_progress")
    stage.redeliver(*records[:2])
    stage.redeliver(ends={0: 3})
    assert world.rows("SELECT xmin::text, next_offset FROM dedup_progress") == before


def test_a_death_before_the_commit_takes_decisions_and_progress_back(stage: Stage, world: World) -> None:
    project = world.project()
    records = stage.place(*(clone(project) for _ in range(4)))
    stage.redeliver(*records[:2])
    with failpoint.armed("dedup.written", _die), pytest.raises(_Died):
        stage.redeliver(*records[2:])
    assert world.count("claims") == world.count("jobs") == 2
    assert world.rows("SELECT next_offset FROM dedup_progress") == [{"next_offset": 2}]
    assert world.wallet(project.org_id)[1:] == (2 * VIDEO_PRICE, 2)
    assert stage.redeliver(*records[2:]).names() == ["CloneAccepted"] * 2
    assert world.rows("SELECT next_offset FROM dedup_progress") == [{"next_offset": 4}]


class _Died(Exception):
    """The process ended there."""


def _die() -> None:
    raise _Died


def test_progress_and_decisions_are_one_transaction(stage: Stage, world: World) -> None:
    # A claim that cannot be written takes the progress with it, and the other way round.
    project = world.project()
    world.execute("ALTER TABLE dedup_progress ADD CONSTRAINT never CHECK (next_offset < 3) NOT VALID")
    records = stage.place(*(clone(project) for _ in range(4)))
    stage.redeliver(*records[:2])
    with pytest.raises(psycopg.errors.CheckViolation, match="never"):
        stage.redeliver(*records[2:])
    assert world.count("claims") == 2
    assert world.wallet(project.org_id)[1:] == (2 * VIDEO_PRICE, 2)
