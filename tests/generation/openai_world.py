"""The generator `openai` against a scripted provider."""

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from pydantic import SecretStr

from consumers.generation.composed import ComposedGenerator
from consumers.generation.generators import GenerationFailed, Made, Order, RetryLater
from consumers.generation.openai_writer.provider import Endpoint, Provider
from consumers.generation.openai_writer.reading import ModelReader
from consumers.generation.openai_writer.realiser import OpenAIRealiser
from consumers.generation.openai_writer.spending import Ledger, Prices
from schemas.ids import JobId, variation_id
from tests.generation.orders import JOB_ID, make
from tests.generation.provider_server import Reply, Script, ScriptedProvider, completion, good_words, scripted_provider

KEY: Final = "sk-test-53cr3t-0123456789"
PRICES: Final = Prices(2.0, 10.0)


@contextmanager
def openai(script: Script, **changes: Any) -> Iterator[tuple[ComposedGenerator, ScriptedProvider]]:
    """The generator and the provider that it asks."""
    with scripted_provider(script) as server:
        provider = Provider(
            Endpoint(**{"base_url": server.base_url, "api_key": SecretStr(KEY), "model": "asked-model", **changes}),
            Ledger(PRICES),
        )
        try:
            yield generator(provider), server
        finally:
            provider.close()


def generator(provider: Provider) -> ComposedGenerator:
    return ComposedGenerator(OpenAIRealiser(provider), waits=True, lease_ahead=4, reader=ModelReader(provider))


def good(*orders: Order) -> dict[uuid.UUID, Reply]:
    """A completion that passes the gate for each of these, by variation id."""
    return {id_of(order.index): completion(json.dumps(good_words(order))) for order in orders}


def id_of(index: int) -> uuid.UUID:
    return variation_id(JobId(JOB_ID), index)


def always(reply: Reply) -> Script:
    return lambda asked: reply


def outcome(composed: ComposedGenerator, order: Order) -> Made | GenerationFailed | RetryLater:
    """What comes of one order."""
    try:
        return make(composed, order)
    except (GenerationFailed, RetryLater) as failure:
        return failure


def at_once(composed: ComposedGenerator, orders: list[Order]) -> list[Made | GenerationFailed | RetryLater]:
    """What comes of these orders, made by a thread each."""
    results: dict[int, Made | GenerationFailed | RetryLater] = {}

    def run(order: Order) -> None:
        results[order.index] = outcome(composed, order)

    threads = [threading.Thread(target=run, args=(order,)) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [results[order.index] for order in orders]
