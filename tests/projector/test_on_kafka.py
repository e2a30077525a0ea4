"""The stage in its batch loop, on real Kafka and Postgres: an outage stalls it, poison does not."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions

from consumers.generation.sweeper import Sweeper
from consumers.projector.consumer import STAGE, ProjectHandler
from runtime import failpoint, metrics
from runtime.batch_loop import BatchLoop
from runtime.dead_letters import DeadLetters
from runtime.errors import DatabaseUnavailable
from runtime.publishing import Outgoing, Publisher
from runtime.record import Batch, Record, raw_bytes
from runtime.settings import Settings
from runtime.tailing import tail
from schemas import codec
from schemas.events import JobCompleted
from schemas.headers import CE_ID, DEAD_LETTER_REASON
from schemas.topics import DEAD_LETTERS, JOB_EVENTS, VARIATION_RESULTS, Topic
from storage.connection import Database
from tests.awaiting import eventually
from tests.dedup.records import Read
from tests.dedup.stage import Recorder
from tests.projector.stage import Accepted, Stage, projector, wake_up
from tests.running_loop import running
from tests.servers import database_away


@pytest.fixture
def publisher(settings: Settings) -> Iterator[Publisher]:
    publisher = Publisher(settings)
    yield publisher
    publisher.close()


@contextmanager
def stage_running(settings: Settings, publisher: Publisher) -> Iterator[None]:
    """The stage as `clonepost run project` builds it, in a thread."""
    database = Database(settings.database_url.get_secret_value(), application_name="test-project")
    letters = DeadLetters(settings, stage=STAGE)
    prefix = settings.topic_prefix
    handler = ProjectHandler(database, publisher, letters, completion_partitions=3, topic_prefix=prefix)
    loop = BatchLoop(settings, handler, stage=STAGE, topics=[prefix + VARIATION_RESULTS.name])
    try:
        with running(loop):
            yield
    finally:
        database.close()


def send(settings: Settings, publisher: Publisher, *records: Read) -> None:
    topic = settings.topic_prefix + VARIATION_RESULTS.name
    publisher.publish([Outgoing(topic, record.key_bytes, record.value_bytes) for record in records])


def records_of(settings: Settings, topic: Topic) -> list[Record]:
    name = settings.topic_prefix + topic.name
    return list(tail(settings, name, partitions=topic.partitions, from_beginning=True, until_end=True))


def committed(settings: Settings, partitions: int = VARIATION_RESULTS.partitions) -> int:
    """How many wake-ups the stage is done with."""
    consumer = Consumer({**settings.kafka, "group.id": f"{settings.topic_prefix}clonepost.{STAGE}"})
    name = settings.topic_prefix + VARIATION_RESULTS.name
    places = consumer.committed([TopicPartition(name, number) for number in range(partitions)], 10)
    consumer.close()
    return sum(place.offset for place in places if place.offset > 0)


def junk(value: bytes | None) -> Read:
    return Read(b"0195e0a0-0000-7000-8000-00000000000f", value, of_topic=VARIATION_RESULTS.name)


def test_an_outage_stalls_the_stage_and_dead_letters_nothing(
    settings: Settings, publisher: Publisher, jobs: Accepted, database: Database, postgres: str
) -> None:
    ended = [jobs.reserved(database, variations=1) for _ in range(3)]
    for job in ended:
        jobs.all_end(job, "succeeded")
    stalls = metrics.STALLS.labels(STAGE)
    before = stalls._value.get()
    with stage_running(settings, publisher):
        with database_away(postgres, settings.database_url.get_secret_value()):
            send(settings, publisher, *(wake_up(job, 0) for job in ended), junk(b"junk"))
            eventually(lambda: stalls._value.get() >= before + 3, what="the stage has stalled several times")
            assert records_of(settings, DEAD_LETTERS) == records_of(settings, JOB_EVENTS) == []
            assert committed(settings) == 0
        eventually(lambda: committed(settings) == 4, what="the wake-ups are done with")
    assert len(records_of(settings, JOB_EVENTS)) == 3
    # The poison among them is no victim of the outage either.
    assert [letter.value() for letter in records_of(settings, DEAD_LETTERS)] == [b"junk"]


def test_poison_is_one_dead_letter_and_its_neighbours_are_projected(
    settings: Settings, publisher: Publisher, jobs: Accepted, database: Database
) -> None:
    job = jobs.reserved(database, variations=2)
    jobs.all_end(job, "succeeded", "succeeded")
    poison = [b"junk", b"", None, b"\xc3\x01" + b"\x00" * 9]
    send(settings, publisher, wake_up(job, 0), *map(junk, poison), wake_up(job, 1))
    with stage_running(settings, publisher):
        eventually(lambda: committed(settings) == 6, what="all are done with")
    # A second process begins behind them.
    send(settings, publisher, wake_up(job, 0))
    with stage_running(settings, publisher):
        eventually(lambda: committed(settings) == 7, what="the last is done with")
    letters = records_of(settings, DEAD_LETTERS)
    assert sorted(raw_bytes(letter.value()) or b"" for letter in letters) == sorted(value or b"" for value in poison)
    assert all(dict(letter.headers() or [])[DEAD_LETTER_REASON] for letter in letters)
    assert len(records_of(settings, JOB_EVENTS)) == 1


@pytest.mark.slow
def test_a_partition_that_the_topic_gets_meanwhile_is_read_soon(
    settings: Settings, publisher: Publisher, jobs: Accepted, database: Database
) -> None:
    first, second = (jobs.reserved(database, variations=1) for _ in range(2))
    for job in (first, second):
        jobs.all_end(job, "succeeded")
    topic, new = settings.topic_prefix + VARIATION_RESULTS.name, VARIATION_RESULTS.partitions
    send(settings, publisher, wake_up(first, 0))
    with stage_running(settings, publisher):
        eventually(lambda: committed(settings) == 1, what="the stage is at work")
        admin = AdminClient({**settings.kafka})
        (grown,) = admin.create_partitions([NewPartitions(topic, new + 1)]).values()
        grown.result()
        # A producer that knows the partition already: one that has just started.
        restarted = Publisher(settings)
        record = wake_up(second, 0)
        restarted.publish([Outgoing(topic, record.key_bytes, record.value_bytes, partition=new)])
        restarted.close()
        eventually(lambda: committed(settings, new + 1) == 2, what="the new partition's record is done with")
    assert len(records_of(settings, JOB_EVENTS)) == 2


def test_a_member_that_was_frozen_ends_jobs_and_dies_and_their_ends_are_told(
    settings: Settings, publisher: Publisher, jobs: Accepted, database: Database
) -> None:
    """Its partition has a new owner, which has passed the wake-ups that the frozen one still has in hand."""
    woken, forgotten = (jobs.reserved(database, variations=2) for _ in range(2))
    for job in (woken, forgotten):
        jobs.stands(job, 0, "succeeded")
    send(settings, publisher, *(wake_up(job, 0) for job in (woken, forgotten)))
    in_hand = records_of(settings, VARIATION_RESULTS)
    with stage_running(settings, publisher):
        eventually(lambda: committed(settings) == 2, what="the new owner has passed them")
        for job in (woken, forgotten):
            jobs.stands(job, 1, "failed")
        recorder = Recorder()
        with failpoint.armed("project.committed", crash), pytest.raises(Crash):
            projector(database, recorder).handle(Batch(in_hand, {}))
        assert [jobs.job(job)["status"] for job in (woken, forgotten)] == ["completed", "completed"]
        assert not recorder.records
        assert not told(settings)

        # The next wake-up of a job has its end told.
        send(settings, publisher, wake_up(woken, 1))
        eventually(lambda: committed(settings) == 3, what="the next wake-up is done with")
        assert told(settings) == {str(woken.job_id)}
        # And where that is lost, the sweeper sends another.
        sweeper_of(settings, database, publisher).sweep()
        assert len(records_of(settings, VARIATION_RESULTS)) == 4
        eventually(lambda: committed(settings) == 4, what="the sweeper's wake-up is done with")
    assert told(settings) == {str(woken.job_id), str(forgotten.job_id)}
    assert jobs.rows("SELECT * FROM untold_ends") == []


def told(settings: Settings) -> set[str]:
    """The jobs of which clone.job-events tells that they were completed."""
    values = [raw_bytes(record.value()) for record in records_of(settings, JOB_EVENTS)]
    return {cast("JobCompleted", codec.decode(value, JOB_EVENTS.records).record)["jobId"] for value in values}


class Crash(Exception):
    """The process ends here."""


def crash() -> None:
    raise Crash


def sweeper_of(settings: Settings, database: Database, publisher: Publisher) -> Sweeper:
    """One that takes anything for overdue and leaves leases alone."""
    return Sweeper(
        database,
        publisher,
        sweep_seconds=3_600,
        lease_seconds=3_600,
        topic_prefix=settings.topic_prefix,
        expect_pending=lambda: None,
        on_death=lambda name: None,
        overdue_seconds=0,
    )


def test_poison_that_is_read_again_is_known_as_the_same_letter(stage: Stage) -> None:
    (poison,) = stage.place(junk(b"junk"))
    letters = [stage.redeliver(poison).dead_letters() for _ in range(2)]
    assert [len(found) for found in letters] == [1, 1]
    assert len({dict(found[0].headers)[CE_ID] for found in letters}) == 1
    assert {found[0].value for found in letters} == {b"junk"}


def test_in_an_outage_nothing_of_a_batch_is_published(
    jobs: Accepted, database: Database, database_url: str, postgres: str
) -> None:
    job = jobs.reserved(database, variations=1)
    recorder = Recorder()
    with database_away(postgres, database_url), pytest.raises(DatabaseUnavailable):
        projector(database, recorder).handle(Batch([wake_up(job, 0), junk(b"junk").at(0, 1)], {}))
    assert recorder.records == []
