"""What drills have found, each at the depth where it was repaired."""

import asyncio
import gc
import threading
from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import Consumer

from producer.read.coalesced import Coalesced
from runtime import kafka_admin
from runtime.batch_loop import BatchLoop
from runtime.errors import BrokerUnavailable
from runtime.kafka import consumer_config
from runtime.publishing import Outgoing, Publisher
from runtime.record import Batch
from runtime.settings import Settings
from schemas.topics import VARIATION_RESULTS
from tests.awaiting import eventually
from tests.running_loop import running


def test_a_client_that_was_frozen_past_its_own_time_limit_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    """`clonepost drill --minutes 6 --seed 42 --rate 40`: a projector ended with a TimeoutError when it was thawed."""
    monkeypatch.setattr(kafka_admin, "_REQUEST_SECONDS", -5)
    never: Future[Any] = Future()
    with pytest.raises(BrokerUnavailable):
        kafka_admin._answer(never)


def test_a_read_that_fails_when_nobody_waits_any_more_is_no_defect_in_the_log() -> None:
    """The same seed: callers had gone away before the broker was given up."""
    complaints: list[dict[str, Any]] = []

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
        failing = asyncio.Event()

        async def read() -> None:
            await failing.wait()
            raise BrokerUnavailable("kafka: away")

        ask = Coalesced(read)
        caller = asyncio.create_task(ask())
        await asyncio.sleep(0)
        caller.cancel()
        await asyncio.gather(caller, return_exceptions=True)
        failing.set()
        for _ in range(10):
            await asyncio.sleep(0)
        del ask, caller
        gc.collect()

    asyncio.run(run())
    assert complaints == []


class Stalling:
    """A handler that stalls while told to, and knows which partitions it has handled."""

    def __init__(self) -> None:
        self.away = threading.Event()
        self.stalls = 0
        self.handled: set[tuple[int, int]] = set()

    def handle(self, batch: Batch) -> None:
        if self.away.is_set():
            self.stalls += 1
            raise BrokerUnavailable("kafka: away")
        self.handled |= {(record.partition() or 0, record.offset() or 0) for record in batch.records}


def test_a_partition_that_was_taken_away_in_a_stall_is_read_when_it_comes_back(settings: Settings) -> None:
    """The same seed: dedup held three partitions that it never read again: they were paused when it lost them."""
    topic = settings.topic_prefix + VARIATION_RESULTS.name
    partitions = range(VARIATION_RESULTS.partitions)
    handler, publisher = Stalling(), Publisher(settings)
    loop = BatchLoop(settings, handler, stage="stalling", topics=[topic])
    stranger = Consumer(consumer_config(settings, group="stalling"))

    def send() -> None:
        publisher.publish([Outgoing(topic, b"key", b"value", partition=partition) for partition in partitions])

    def taken() -> bool:
        stranger.poll(0.05)
        return bool(stranger.assignment())

    try:
        with running(loop):
            send()
            eventually(lambda: len(handler.handled) == len(partitions), what="every partition is read")
            handler.away.set()
            send()
            eventually(lambda: handler.stalls >= 1, what="the stage stalls")
            stranger.subscribe([topic])
            eventually(taken, what="another member takes partitions away")
            handler.away.clear()
            eventually(lambda: len(handler.handled) > len(partitions), what="the stall is over")
            stranger.close()
            send()
            eventually(lambda: handler.handled >= {(p, 2) for p in partitions}, what="what came back is read")
    finally:
        publisher.close()
