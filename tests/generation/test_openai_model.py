"""The generator `openai` against a real model server. It writes badly, which is the point: the gate must hold."""

import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest
from pydantic import SecretStr

from consumers.generation.composed import ComposedGenerator
from consumers.generation.fallback import FallbackGenerator
from consumers.generation.openai_writer.answer import Answer
from consumers.generation.openai_writer.provider import Endpoint, Message, Provider
from consumers.generation.openai_writer.spending import Ledger, Prices
from consumers.generation.openai_writer.wire import Asked, parsed
from consumers.generation.writing.embedded import EmbeddedRealiser
from tests.generation.local_model import local_model
from tests.generation.openai_world import generator
from tests.generation.orders import SOURCE, make, order

# A tiny model closes no long string: its words are capped, and cut off where it does not end.
MOST_TOKENS: Final = 60
SHORT: Final = {**SOURCE, "durationMs": 6_000, "transcript": SOURCE["transcript"][:1], "shots": SOURCE["shots"][:1]}


class _Watched(Provider):
    """Remembers what was asked for and answered."""

    def __init__(self, endpoint: Endpoint, ledger: Ledger) -> None:
        super().__init__(endpoint, ledger)
        self.answers: list[tuple[type[Asked], Answer]] = []

    def ask(self, messages: Sequence[Message], wanted: type[Asked], variation_id: uuid.UUID) -> Answer:
        answer = super().ask(messages, wanted, variation_id)
        self.answers.append((wanted, answer))
        return answer


@pytest.mark.slow
def test_a_real_model_reads_writes_is_judged_repaired_and_replaced(tmp_path: Path) -> None:
    with local_model(tmp_path) as base_url:
        endpoint = Endpoint(base_url, SecretStr(""), "smollm2", timeout_seconds=300.0, max_output_tokens=MOST_TOKENS)
        provider = _Watched(endpoint, Ledger(Prices(1.0, 1.0)))
        try:
            embedded = ComposedGenerator(EmbeddedRealiser(), waits=False, lease_ahead=1)
            made = make(FallbackGenerator(generator(provider), embedded), order(source=SHORT))
        finally:
            provider.close()
    # The server held the model to the schema: what is whole is what was asked for.
    for wanted, answer in provider.answers:
        assert answer.text.lstrip().startswith("{")
        assert not answer.whole or parsed(wanted, answer.text) is not None, answer.text
        assert 0 < answer.spent.output_tokens <= MOST_TOKENS
        assert answer.spent.input_tokens > 50
    # Either it wrote what passes, or the creative says whose it is; paid for are the reading and one or two writings.
    provenance = made.provenance
    assert provenance["tokens"]["calls"] in (2, 3)
    assert provenance["costUsd"] > 0
    if "fallbackFrom" in provenance:
        assert provenance["fallbackFrom"]["code"] in ("QUALITY_GATE", "PROVIDER_ERROR")
        assert provenance["tokens"]["calls"] == 3
        assert made.creative == make(embedded, order(source=SHORT)).creative
    assert "Luma" in json.dumps(made.creative)
