"""A record whose bytes the broker's disk has changed is not passed over: its partition stands, the others go on."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import ConfigResource, ResourceType  # type: ignore[attr-defined]  # as documented
from structlog.testing import capture_logs

from runtime.batch_loop import BatchLoop
from runtime.errors import BrokerUnavailable, Fatal
from runtime.kafka import consumer_config, new_admin
from runtime.publishing import Outgoing, Publisher
from runtime.record import Batch, raw_bytes
from runtime.settings import Settings
from runtime.transactions import Logged, LogReader
from schemas.topics import VARIATION_RESULTS
from tests.awaiting import eventually
from tests.running_loop import running

STAGE = "unreadable"


class Handled:
    """A handler that knows which values it was given, and stalls while told to."""

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.away = threading.Event()

    def handle(self, batch: Batch) -> None:
        if self.away.is_set():
            raise BrokerUnavailable("kafka: away")
        self.values += [raw_bytes(record.value()) or b"" for record in batch.records]


@pytest.fixture
def send(settings: Settings) -> Iterator[Callable[[int, bytes], None]]:
    """Publishes a value, in a record batch of its own."""
    publisher = Publisher(settings)
    yield lambda partition, value: publisher.publish([Outgoing(topic_of(settings), b"key", value, partition=partition)])
    publisher.close()


def topic_of(settings: Settings) -> str:
    return settings.topic_prefix + VARIATION_RESULTS.name


def log_file(settings: Settings, partition: int) -> Path:
    """The file in which the broker keeps the partition."""
    admin = new_admin(settings)
    [broker] = admin.list_topics(timeout=10).brokers
    [described] = admin.describe_configs([ConfigResource(ResourceType.BROKER, str(broker))]).values()
    folder = Path(described.result()["log.dirs"].value) / f"{topic_of(settings)}-{partition}"
    if not folder.exists():
        pytest.skip("NOT TESTED: the broker's files are in a container")
    [file] = folder.glob("*.log")
    return file


def replace_bytes(file: Path, old: bytes, new: bytes) -> None:
    """Change bytes on the disk, in place."""
    content = file.read_bytes()
    assert content.count(old) == 1
    assert len(old) == len(new)
    with file.open("r+b") as opened:
        opened.seek(content.index(old))
        opened.write(new)


@pytest.fixture
def committed(settings: Settings) -> Iterator[Callable[[int], int | None]]:
    """What the group has committed of a partition; None while the broker cannot say."""
    consumer = Consumer(consumer_config(settings, group=STAGE))

    def ask(partition: int) -> int | None:
        try:
            [place] = consumer.committed([TopicPartition(topic_of(settings), partition)], 10)
        except KafkaException:
            return None
        return place.offset if place.error is None else None

    yield ask
    consumer.close()


def test_nothing_behind_a_damaged_record_is_handled_until_it_can_be_read(
    settings: Settings, send: Callable[[int, bytes], None], committed: Callable[[int], int | None]
) -> None:
    # Bytes without repetition, so that they stand in the log as they are.
    values = [bytes(range(n, n + 40)) for n in (40, 90, 140)]
    for value in values:
        send(0, value)
    file, handler = log_file(settings, 0), Handled()
    replace_bytes(file, values[1], values[1][::-1])
    loop = BatchLoop(settings, handler, stage=STAGE, topics=[topic_of(settings)])
    with capture_logs() as logs, running(loop):
        eventually(lambda: committed(0) == 1, what="what stands before it is done with")
        send(1, b"another partition")
        eventually(lambda: committed(1) == 1, what="another partition goes on")
        # Also behind a stall, whose end resumes what was paused.
        handler.away.set()
        send(1, b"one more")
        eventually(lambda: any(log["event"] == "stage_stalled" for log in logs), what="the stage stalls")
        handler.away.clear()
        eventually(lambda: committed(1) == 2, what="the stall is over")

        def complaints() -> int:
            return len([log for log in logs if log["event"] == "record_unreadable" and log["offset"] == 1])

        eventually(lambda: complaints() >= 2, what="it is read again, and told again")
        assert handler.values == [values[0], b"another partition", b"one more"]
        assert eventually(lambda: committed(0), what="the broker tells what is committed") == 1
        replace_bytes(file, values[1][::-1], values[1])
        eventually(lambda: committed(0) == 3, what="it is read, and all behind it")
    assert handler.values == [values[0], b"another partition", b"one more", *values[1:]]


def test_a_client_that_loses_its_place_behind_a_damaged_record_finds_it_again(
    settings: Settings, send: Callable[[int, bytes], None]
) -> None:
    values = [bytes(range(n, n + 40)) for n in (40, 90, 140)]
    for value in values:
        send(0, value)
    file = log_file(settings, 0)
    replace_bytes(file, values[1], values[1][::-1])
    loop = BatchLoop(settings, Handled(), stage=STAGE, topics=[topic_of(settings)])
    client, batch, told = loop._consumer, Batch(), list[Message]()
    client.incremental_assign([TopicPartition(topic_of(settings), 0, 0)])

    def lost() -> bool:
        if (message := client.poll(0.1)) is None:
            return False
        told.append(message)
        error = message.error()
        return error is not None and error.code() == KafkaError._AUTO_OFFSET_RESET

    # The loop is late: before it hears of the damage, the client has asked for an offset that is made of bytes.
    eventually(lost, what="the client loses its place")
    for message in told:
        loop._sort_in(batch, message)
    assert [raw_bytes(record.value()) for record in batch.records] == values[:1]
    replace_bytes(file, values[1][::-1], values[1])

    def read_on() -> bool:
        loop._damaged.look_again()
        if (message := client.poll(0.1)) is not None:
            loop._sort_in(batch, message)
        return len(batch.records) == len(values)

    eventually(read_on, what="it is read, and all behind it")
    assert [raw_bytes(record.value()) for record in batch.records] == values
    client.close()


def test_an_error_of_one_partitions_offset_is_not_taken_for_no_offset(settings: Settings) -> None:
    """A broker that answers for some partitions only is hard to have: its answers are given here."""

    class Place:
        def __init__(self, partition: int, offset: int, error: KafkaError | None) -> None:
            self.topic, self.partition, self.offset, self.error = "t", partition, offset, error

    answers = [
        [Place(0, 7, None), Place(1, -1001, KafkaError(KafkaError.UNSTABLE_OFFSET_COMMIT))],
        [Place(0, 7, None), Place(1, 9, None)],
    ]

    class Client:
        def committed(self, partitions: list[TopicPartition], timeout: float) -> list[Place]:
            return answers.pop(0)

    loop = BatchLoop(settings, Handled(), stage=STAGE, topics=[topic_of(settings)])
    placed = loop._places(Client(), [TopicPartition("t", 0), TopicPartition("t", 1)])  # type: ignore[arg-type]
    assert [place.offset for place in placed] == [7, 9]


def test_the_relays_reader_halts_for_what_was_deleted_and_not_for_what_cannot_be_read(
    settings: Settings, send: Callable[[int, bytes], None]
) -> None:
    values = [bytes(range(n, n + 40)) for n in (40, 90, 140)]
    for value in values:
        send(0, value)
    file, reader = log_file(settings, 0), LogReader(settings, topic_of(settings))

    def offsets() -> list[int] | None:
        try:
            return [item.offset for item in reader.read({0: 0}, {0: 3}) if isinstance(item, Logged)]
        except BrokerUnavailable:
            return None

    replace_bytes(file, values[1], values[1][::-1])
    assert offsets() is None
    # Behind such bytes a client may go to an offset that is not there, and take what it was to read for deleted.
    lost = KafkaError(KafkaError._AUTO_OFFSET_RESET)
    assert isinstance(reader._lost(0, 0, lost), BrokerUnavailable)
    replace_bytes(file, values[1][::-1], values[1])
    assert eventually(offsets, what="it can be read again") == [0, 1, 2]
    # Held: without its client the answer never comes.
    admin = new_admin(settings)
    [deleted] = admin.delete_records([TopicPartition(topic_of(settings), 0, 2)]).values()
    deleted.result()
    with pytest.raises(Fatal, match="does not have the relay's checkpoint"):
        eventually(offsets, what="the reader is told")
    reader.close()
