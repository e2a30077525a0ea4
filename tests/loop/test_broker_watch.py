"""A client that has lost its brokers is seen as such, and whoever has it gets another or ends."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Final

import pytest
from confluent_kafka import TopicPartition

from runtime import transactions
from runtime.async_producer import AsyncProducer
from runtime.batch_loop import BatchLoop
from runtime.broker_watch import BrokerWatch
from runtime.errors import BrokerUnavailable, Fatal
from runtime.kafka import new_consumer
from runtime.publishing import Outgoing, Publisher
from runtime.record import Batch
from runtime.reply_consumer import ReplyConsumer
from runtime.settings import Settings
from runtime.transactions import Logged, LogReader
from runtime.wakeup import TopicWakeup
from schemas.topics import JOB_EVENTS, JOBS_COMPLETED, REPLIES, REQUESTS
from tests.awaiting import eventually

# As a client of librdkafka 2.16 reports for good after it was told that there are no brokers.
LOST: Final = '{"brokers": {"GroupCoordinator": {"source": "logical", "state": "TRY_CONNECT"}}}'
DOWN: Final = '{"brokers": {"127.0.0.1:9092/1": {"source": "learned", "state": "TRY_CONNECT"}}}'


def lose(watch: BrokerWatch) -> None:
    """Let the client report what a lost one does."""
    for _ in range(3):
        watch(LOST)


def test_a_client_is_lost_after_three_reports_without_a_broker_and_never_while_it_knows_one() -> None:
    watch = BrokerWatch()
    for report in (LOST, LOST, DOWN, DOWN, DOWN, DOWN, LOST, LOST):
        watch(report)
        assert not watch.lost
    watch(LOST)
    assert watch.lost


def test_a_real_client_reports_and_knows_its_broker(settings: Settings) -> None:
    reports: list[bool] = []

    class Heard(BrokerWatch):
        def __call__(self, statistics: str) -> None:
            super().__call__(statistics)
            reports.append(self._without == 0)

    changes = {**Heard().config(), "statistics.interval.ms": 100}
    consumer = new_consumer(settings, group="watched", **changes)
    topic = settings.topic_prefix + JOB_EVENTS.name
    consumer.assign([TopicPartition(topic, 0, 0)])

    def polled() -> bool:
        consumer.poll(0.1)
        return len(reports) > 3

    eventually(polled, what="reports come")
    consumer.close()
    assert all(reports)


def test_a_stage_ends_to_be_started_again(settings: Settings) -> None:
    class Nothing:
        def handle(self, batch: Batch) -> None:
            """Nothing."""

    loop = BatchLoop(settings, Nothing(), stage="watched", topics=[settings.topic_prefix + REQUESTS.name])
    lose(loop._watch)
    with pytest.raises(Fatal, match="lost every broker"):
        loop.run()


def test_a_wakeup_wakes_with_a_new_client(settings: Settings) -> None:
    topic = settings.topic_prefix + JOB_EVENTS.name
    wakeup, publisher = TopicWakeup(settings, topic, partitions=JOB_EVENTS.partitions), Publisher(settings)
    old = wakeup._consumer
    lose(wakeup._watch)
    wakeup.wait(0)
    assert wakeup._consumer is not old
    over = threading.Event()

    def keep_publishing() -> None:
        while not over.wait(0.05):
            publisher.publish([Outgoing(topic, b"k", b"v")])

    publishing = threading.Thread(target=keep_publishing)
    publishing.start()
    # Returns at a record: nothing else ends so long a wait.
    wakeup.wait(600)
    over.set()
    publishing.join()
    wakeup.close()
    publisher.close()


@pytest.mark.anyio
async def test_replies_are_read_and_requests_are_sent_with_new_clients(settings: Settings) -> None:
    loop = asyncio.get_running_loop()
    topic = settings.topic_prefix + REPLIES.name
    received: list[bytes] = []

    def receive(values: Sequence[bytes]) -> None:
        received.extend(values)

    reader = await asyncio.to_thread(
        lambda: ReplyConsumer(settings, topic=topic, partitions=REPLIES.partitions, loop=loop, receive=receive)
    )
    producer = AsyncProducer(settings, loop)
    old_reader, old_producer = reader._consumer, producer._producer
    lose(reader._watch)
    lose(producer._watch)

    async def replaced() -> None:
        while not received or reader._consumer is old_reader or producer._producer is old_producer:
            reason: asyncio.Future[str | None] = loop.create_future()
            producer.send(Outgoing(topic, None, b"reply", partition=reader.partition), reason.set_result)
            await reason

    await asyncio.wait_for(replaced(), 60)
    await asyncio.to_thread(reader.close)
    await asyncio.to_thread(producer.close)


def test_the_log_is_read_to_its_end_with_a_new_client_when_one_stands_still(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = settings.topic_prefix + JOBS_COMPLETED.name
    publisher, reader = Publisher(settings), LogReader(settings, topic)
    starts = dict.fromkeys(range(JOBS_COMPLETED.partitions), 0)
    ends = {**starts, 0: 1}
    list(reader.read(starts, starts))
    publisher.publish([Outgoing(topic, None, b"v", partition=0)])
    reader._consumer.pause([TopicPartition(topic, partition) for partition in starts])
    monkeypatch.setattr(transactions, "_READ_SECONDS", 1.0)
    with pytest.raises(BrokerUnavailable, match="could not be read to its end"):
        list(reader.read(starts, ends))
    monkeypatch.undo()
    assert [item for item in reader.read(starts, ends) if isinstance(item, Logged)] == [Logged(0, 0, None)]
    reader.close()
    publisher.close()
