"""What drills have found, each at the depth where it was repaired."""

import asyncio
import gc
from concurrent.futures import Future
from typing import Any

import pytest

from producer.read.coalesced import Coalesced
from runtime import kafka_admin
from runtime.errors import BrokerUnavailable


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
