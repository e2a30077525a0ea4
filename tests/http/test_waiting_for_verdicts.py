"""Matching replies to those who wait, and the acknowledgements of many records at once."""

import asyncio
import uuid
from collections.abc import Sequence
from functools import partial

import pytest
from confluent_kafka import TopicPartition

from producer.ingest.verdicts import LATE, NotAcknowledged, Verdicts
from runtime.async_producer import AsyncProducer
from runtime.errors import BrokerUnavailable
from runtime.kafka_admin import KafkaAdmin
from runtime.publishing import Outgoing, Publisher
from runtime.reply_consumer import ReplyConsumer
from runtime.settings import Settings
from schemas import codec
from schemas.topics import REPLIES, REQUESTS
from tests.awaiting import eventually

MANY = 3_000


@pytest.fixture
def anyio_backend() -> str:
    """The event loop of the API."""
    return "asyncio"


def reply(request_id: str) -> bytes:
    job = str(uuid.uuid4())
    record = {"requestId": request_id, "jobId": job, "outcome": "accepted", "code": None, "message": None}
    return codec.encode("CloneReply", {**record, "details": None})


@pytest.mark.anyio
async def test_a_verdict_may_come_before_the_acknowledgement() -> None:
    verdicts = Verdicts(asyncio.get_running_loop(), wait_ms=60_000)
    future = verdicts.expect("a")
    verdicts.receive([reply("a")])
    verdicts.delivered("a", None)
    outcome = await future
    assert isinstance(outcome, dict)
    assert outcome["requestId"] == "a"


@pytest.mark.anyio
async def test_each_gets_its_own_and_the_others_are_late() -> None:
    verdicts = Verdicts(asyncio.get_running_loop(), wait_ms=50)
    futures = {name: verdicts.expect(name) for name in "abcd"}
    for name in "abc":
        verdicts.delivered(name, None)
    verdicts.delivered("d", "_MSG_TIMED_OUT")
    verdicts.receive([reply("x"), reply("b"), reply("b"), b"nonsense"])
    found = dict(zip(futures, await asyncio.gather(*futures.values()), strict=True))
    assert (found["a"], found["c"], found["d"]) == (LATE, LATE, NotAcknowledged("_MSG_TIMED_OUT"))
    assert isinstance(found["b"], dict)
    # The one timer serves those that come later, too.
    later = verdicts.expect("e")
    verdicts.delivered("e", None)
    assert await later == LATE


@pytest.mark.anyio
async def test_without_an_acknowledgement_no_time_runs() -> None:
    verdicts = Verdicts(asyncio.get_running_loop(), wait_ms=1)
    acknowledged, waiting = verdicts.expect("a"), verdicts.expect("b")
    verdicts.delivered("a", None)
    assert await acknowledged == LATE
    assert not waiting.done()


@pytest.mark.anyio
async def test_who_does_not_wait_at_all_is_late_at_once() -> None:
    verdicts = Verdicts(asyncio.get_running_loop(), wait_ms=0)
    future = verdicts.expect("a")
    verdicts.delivered("a", None)
    assert future.result() == LATE


@pytest.mark.anyio
async def test_what_comes_for_those_who_left_is_passed_over() -> None:
    verdicts = Verdicts(asyncio.get_running_loop(), wait_ms=60_000)
    future = verdicts.expect("a")
    verdicts.forget("a")
    verdicts.delivered("a", None)
    verdicts.receive([reply("a")])
    assert not future.done()


@pytest.mark.anyio
async def test_every_record_is_acknowledged_once_and_many_in_one_turn_of_the_loop(settings: Settings) -> None:
    loop = asyncio.get_running_loop()
    producer = AsyncProducer(settings, loop)
    topic = settings.topic_prefix + REQUESTS.name
    acknowledged = [0] * MANY
    everything = loop.create_future()
    turns, in_turn = 0, False

    def turn_ends() -> None:
        nonlocal in_turn
        in_turn = False

    def delivered(number: int, reason: str | None) -> None:
        nonlocal turns, in_turn
        assert reason is None
        acknowledged[number] += 1
        if not in_turn:
            turns, in_turn = turns + 1, True
            loop.call_soon(turn_ends)
        if sum(acknowledged) == MANY:
            everything.set_result(None)

    for number in range(MANY):
        producer.send(Outgoing(topic, b"%d" % number, b"x"), partial(delivered, number))
    await everything
    await asyncio.to_thread(producer.close)
    assert acknowledged == [1] * MANY
    assert 1 <= turns < MANY / 2
    ends = KafkaAdmin(settings).end_offsets(topic)
    assert sum(ends.values()) == MANY


@pytest.mark.anyio
async def test_a_record_after_a_pause_is_acknowledged_as_well(settings: Settings) -> None:
    loop = asyncio.get_running_loop()
    producer = AsyncProducer(settings, loop)
    topic = settings.topic_prefix + REQUESTS.name
    for _ in range(3):
        reason: asyncio.Future[str | None] = loop.create_future()
        producer.send(Outgoing(topic, b"k", b"v"), reason.set_result)
        assert await reason is None
        while producer.outstanding:  # noqa: ASYNC110 -- turns of the loop are what is waited for
            await asyncio.sleep(0)
    await asyncio.to_thread(producer.close)


@pytest.mark.anyio
async def test_a_topic_that_is_not_there_is_a_reason_not_a_hang(settings: Settings) -> None:
    loop = asyncio.get_running_loop()
    producer = AsyncProducer(settings, loop, framing=None, **{"delivery.timeout.ms": 2_000})
    reason: asyncio.Future[str | None] = loop.create_future()
    producer.send(Outgoing(settings.topic_prefix + "nowhere", b"k", b"v"), reason.set_result)
    assert await reason in ("UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC", "_MSG_TIMED_OUT")
    await asyncio.to_thread(producer.close)


@pytest.mark.anyio
async def test_replies_are_read_again_once_their_end_is_found(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retention deletes what the reader stands at, and the broker does not tell at once where the end is now."""
    loop = asyncio.get_running_loop()
    topic = settings.topic_prefix + REPLIES.name
    received: list[bytes] = []

    def receive(values: Sequence[bytes]) -> None:
        received.extend(values)

    find, answers = ReplyConsumer._assign_end, ["nothing is any more", "no answer", "no answer"]

    def find_at_last(self: ReplyConsumer) -> None:
        answer = answers.pop(0) if answers else "the end"
        if answer == "nothing is any more":
            self._consumer.assign([TopicPartition(topic, self.partition, 1_000)])
        elif answer == "no answer":
            raise BrokerUnavailable(f"kafka: {answer}")
        else:
            find(self)

    monkeypatch.setattr(ReplyConsumer, "_assign_end", find_at_last)
    reader = await asyncio.to_thread(
        lambda: ReplyConsumer(settings, topic=topic, partitions=REPLIES.partitions, loop=loop, receive=receive)
    )
    publisher = Publisher(settings)

    def answered() -> bool:
        publisher.publish([Outgoing(topic, None, b"again", partition=reader.partition)])
        return b"again" in received

    await asyncio.to_thread(lambda: eventually(answered, what="replies are read again"))
    assert not answers
    await asyncio.to_thread(reader.close)
    publisher.close()


@pytest.mark.anyio
async def test_replies_are_read_from_the_moment_the_reader_is_there(settings: Settings) -> None:
    loop = asyncio.get_running_loop()
    topic = settings.topic_prefix + REPLIES.name
    publisher = Publisher(settings)

    def send(text: bytes, partitions: range) -> None:
        publisher.publish([Outgoing(topic, None, text, partition=number) for number in partitions])

    everywhere = range(REPLIES.partitions)
    await asyncio.to_thread(send, b"before", everywhere)
    received: list[bytes] = []
    last = loop.create_future()

    def receive(values: object) -> None:
        received.extend(values)  # type: ignore[arg-type]
        if received[-1] == b"last" and not last.done():
            last.set_result(None)

    reader = await asyncio.to_thread(
        lambda: ReplyConsumer(settings, topic=topic, partitions=REPLIES.partitions, loop=loop, receive=receive)
    )
    mine = range(reader.partition, reader.partition + 1)
    await asyncio.to_thread(send, b"after", everywhere)
    await asyncio.to_thread(send, b"last", mine)
    await last
    await asyncio.to_thread(reader.close)
    publisher.close()
    assert received == [b"after", b"last"]
