"""The stage in its batch loop, on real Kafka and Postgres."""

import threading
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from clonepost.deadletters.cases import read_letter
from consumers.dedup.consumer import STAGE, DedupHandler
from runtime.batch_loop import BatchLoop
from runtime.dead_letters import DeadLetters
from runtime.errors import BrokerUnavailable
from runtime.kafka_admin import KafkaAdmin
from runtime.publishing import Outgoing, Publisher, Publishing
from runtime.settings import Settings
from schemas import codec
from schemas.topics import ADMISSIONS, DEAD_LETTERS, REPLIES, REQUESTS, Topic
from storage.connection import Database
from tests.awaiting import eventually
from tests.dedup.records import Read, cancel_of, clone
from tests.dedup.stage import Recorder
from tests.dedup.world import VIDEO_PRICE, World
from tests.growth import grow
from tests.running_loop import running


class Log:
    """Reads a topic of the test from its beginning, as often as asked."""

    def __init__(self, settings: Settings, topic: Topic) -> None:
        self._consumer = Consumer({**settings.kafka, "group.id": "reader", "enable.auto.commit": False})
        name = settings.topic_prefix + topic.name
        self._consumer.assign([TopicPartition(name, number, 0) for number in range(topic.partitions)])
        self.records: list[Any] = []

    def read(self) -> list[Any]:
        for message in self._consumer.consume(1_000, 0.1):
            assert message.error() is None, message.error()
            self.records.append(message)
        return self.records

    def until(self, count: int) -> list[Any]:
        return eventually(lambda: (len(self.read()) >= count and self.records) or None, what=f"{count} records")

    def close(self) -> None:
        self._consumer.close()


@pytest.fixture
def logs(settings: Settings) -> Iterator[dict[Topic, Log]]:
    logs = {topic: Log(settings, topic) for topic in (ADMISSIONS, REPLIES, DEAD_LETTERS)}
    yield logs
    for log in logs.values():
        log.close()


@pytest.fixture
def publisher(settings: Settings) -> Iterator[Publisher]:
    publisher = Publisher(settings)
    yield publisher
    publisher.close()


@contextmanager
def _running(settings: Settings, publisher: Publishing) -> Iterator[None]:
    """The stage as `clonepost run dedup` builds it, in a thread."""
    database = Database(settings.database_url.get_secret_value(), application_name="test-dedup")
    topic = settings.topic_prefix + REQUESTS.name
    topic_id = KafkaAdmin(settings).topic(topic).topic_id
    dead_letters = DeadLetters(settings, stage=STAGE)
    prefix = settings.topic_prefix
    handler = DedupHandler(
        database,
        publisher,
        dead_letters,
        topic_id=topic_id,
        topic_prefix=prefix,
        reply_partitions=range(REPLIES.partitions),
    )
    loop = BatchLoop(settings, handler, stage=STAGE, topics=[topic])
    try:
        with running(loop):
            yield
    finally:
        database.close()


def _produced(settings: Settings, records: Sequence[Read], *, partition: int | None = None) -> list[Outgoing]:
    topic = settings.topic_prefix + REQUESTS.name
    return [
        Outgoing(topic, r.key_bytes, r.value_bytes, [(n, v or b"") for n, v in r.header_list], partition)
        for r in records
    ]


def _events(messages: Sequence[Any], topic: Topic) -> list[tuple[str, dict[str, Any]]]:
    decoded = [codec.decode(message.value(), topic.records) for message in messages]
    return [(one.name, one.record) for one in decoded]


def _decided(world: World, settings: Settings) -> bool:
    ends = KafkaAdmin(settings).end_offsets(settings.topic_prefix + REQUESTS.name)
    progress = {
        r["partition"]: r["next_offset"] for r in world.rows("SELECT partition, next_offset FROM dedup_progress")
    }
    return all(progress.get(partition, 0) >= end for partition, end in ends.items())


def test_replies_reach_their_askers_and_poison_stops_nobody(
    settings: Settings, publisher: Publisher, world: World, logs: dict[Topic, Log]
) -> None:
    project, container = world.project(), uuid.uuid4()
    identical = [clone(project, container).asking(n % 16, f"req-{n}") for n in range(100)]
    different = uuid.uuid4()
    texts = [{"caption": str(n), "cta": None, "voiceOverScript": None} for n in range(100)]
    junk = [Read(str(uuid.uuid4()).encode(), value) for value in (b"junk", b"", None, b"\xc3\x01" + b"\x00" * 9)]
    cancel = cancel_of(identical[0]).asking(9, "cancel")
    records = [*identical, *(clone(project, different, overrides=text) for text in texts), *junk, cancel]
    publisher.publish(_produced(settings, records))

    with _running(settings, publisher):
        replies = logs[REPLIES].until(101)
        letters = logs[DEAD_LETTERS].until(4)
        eventually(lambda: _decided(world, settings), what="every partition's end is decided")
        admissions = logs[ADMISSIONS].until(102)

    for message in replies:
        [(_, reply)] = _events([message], REPLIES)
        asked = reply["requestId"]
        assert message.partition() == (9 if asked == "cancel" else int(asked.removeprefix("req-")) % 16)
    outcomes = Counter(reply["outcome"] for _, reply in _events(replies, REPLIES))
    assert outcomes == {"accepted": 2, "replayed": 99}
    events = _events(admissions, ADMISSIONS)
    assert Counter(event.get("code", name) for name, event in events) == {
        "CloneAccepted": 2,
        "CloneCanceled": 1,
        "CONFLICT": 99,
    }
    assert all(m.key().decode() == e["containerId"] for m, (_, e) in zip(admissions, events, strict=True))
    assert all(
        dict(m.headers())["ce_id"].decode() == e["eventId"] and dict(m.headers())["ce_type"].decode().endswith(n)
        for m, (n, e) in zip(admissions, events, strict=True)
    )
    assert sorted(m.value() or b"" for m in letters) == sorted(r.value_bytes or b"" for r in junk)
    assert world.wallet(project.org_id)[1:] == (2 * VIDEO_PRICE, 2)


def test_a_record_that_is_larger_than_any_dead_letter_stops_nobody(
    settings: Settings, publisher: Publisher, world: World, logs: dict[Topic, Log]
) -> None:
    """Compressed it is small, and the broker takes it; as a dead letter no broker would."""
    key, large = str(uuid.uuid4()).encode(), b"large" * 1_000_000
    huge = [Read(key, large), Read(key, b"junk").with_headers(ce_id="1" * 5_000_000), Read(large, b"junk")]
    sizes: dict[str, Any] = {"message.max.bytes": 10_000_000}
    writer = Publisher(settings, **sizes)
    writer.publish(_produced(settings, [*huge, clone(world.project())], partition=0))
    writer.close()

    with _running(settings, publisher):
        letters = logs[DEAD_LETTERS].until(3)
        [accepted] = _events(logs[ADMISSIONS].until(1), ADMISSIONS)

    assert accepted[0] == "CloneAccepted"
    read = sorted((letter for record in letters if (letter := read_letter(record))), key=lambda one: one.source.offset)
    assert [(one.key, one.value, one.headers, one.whole) for one in read] == [
        (key, None, (), False),
        (key, None, (), False),
        (None, None, (), False),
    ]
    assert [one.reason for one in read] == ["TOO_LARGE", "UNKNOWN_FRAMING", "UNKNOWN_FRAMING"]


class _Unacknowledged:
    """A broker that goes silent after it took the records: they are in the log, and nobody was told."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self.cut = threading.Event()

    def publish(self, records: Sequence[Outgoing]) -> None:
        self._publisher.publish(records)
        if records:
            self.cut.set()
            raise BrokerUnavailable("kafka: no acknowledgement")


def test_a_process_that_died_before_its_offset_commit_is_followed_by_the_same_bytes(
    settings: Settings, publisher: Publisher, world: World, logs: dict[Topic, Log]
) -> None:
    project = world.project(credit=VIDEO_PRICE)
    records = [clone(project).asking(3, f"req-{n}") for n in range(3)]
    publisher.publish(_produced(settings, records, partition=0))

    dying = _Unacknowledged(publisher)
    with _running(settings, dying):
        assert dying.cut.wait(60)
    written = len(logs[ADMISSIONS].until(3))
    world.top_up(project.org_id, 100 * VIDEO_PRICE)
    with _running(settings, publisher):
        admissions = logs[ADMISSIONS].until(written + 3)

    by_event: dict[bytes, set[tuple[Any, ...]]] = defaultdict(set)
    for message in admissions:
        headers = tuple(message.headers())
        by_event[dict(headers)["ce_id"]].add((message.key(), message.value(), headers))
    assert [len(versions) for versions in by_event.values()] == [1, 1, 1]
    codes = Counter(event.get("code", name) for name, event in _events(admissions, ADMISSIONS)[-3:])
    assert codes == {"CloneAccepted": 1, "BILLING_EXHAUSTED": 2}
    assert world.wallet(project.org_id)[1:] == (VIDEO_PRICE, 1)


def test_the_recorder_of_the_other_tests_keeps_what_the_real_publisher_writes(
    settings: Settings, publisher: Publisher, logs: dict[Topic, Log]
) -> None:
    topic = settings.topic_prefix + REPLIES.name
    records = [
        Outgoing(topic, None, b"value", [("ce_id", b"1"), ("ce_id", b"2")], partition=4),
        Outgoing(topic, b"key", b"", (), partition=4),
        Outgoing(topic, b"key", None, [("x", b"\xff")], partition=4),
    ]
    recorder = Recorder()
    for each in (recorder, publisher):
        each.publish(records[:2])
        each.publish([])
        each.publish(records[2:])
    kept = [(r.key, r.value, list(r.headers), r.partition) for r in recorder.records]
    written = [(m.key(), m.value(), m.headers() or [], m.partition()) for m in logs[REPLIES].until(3)]
    assert written == kept


def test_a_container_has_one_winner_though_the_topic_has_grown_since(
    settings: Settings, publisher: Publisher, world: World
) -> None:
    """Drained, then grown: what is asked again comes through another partition."""
    # Noticed within a moment, and not within ten seconds.
    settings = settings.model_copy(update={"kafka": {**settings.kafka, "topic.metadata.refresh.interval.ms": "500"}})
    project = world.project()
    containers = [uuid.uuid4() for _ in range(10)]
    first = [clone(project, container) for container in containers]
    with _running(settings, publisher):
        publisher.publish(_produced(settings, first, partition=0))
        eventually(lambda: _decided(world, settings), what="it has drained")
        grow(settings, settings.topic_prefix + REQUESTS.name, REQUESTS.partitions + 1)
        text = {"caption": "another", "cta": None, "voiceOverScript": None}
        different = [clone(project, container, overrides=text) for container in containers]
        new = clone(project, uuid.uuid4())
        # One that knows of the new partition.
        later = Publisher(settings)
        later.publish(_produced(settings, [*first, *different, new], partition=REQUESTS.partitions))
        later.close()
        eventually(lambda: _decided(world, settings), what="all is decided")
    claims = Counter(row["partition"] for row in world.rows("SELECT partition FROM claims"))
    assert claims == {0: 10, REQUESTS.partitions: 1}
    _, reserved, running = world.wallet(project.org_id)
    assert (reserved, running) == (11 * VIDEO_PRICE, 11)
