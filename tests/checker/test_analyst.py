"""The live analyst sees each record once, though a client of it stands still."""

from pathlib import Path

import pytest
from confluent_kafka import Consumer, Message

from bench.checker import Recorder, System, read_history
from bench.load import Analyst, analyst
from runtime.publishing import Outgoing, Publisher
from runtime.settings import Settings
from schemas.topics import JOBS_COMPLETED
from tests.awaiting import eventually


def test_a_client_that_stands_still_is_replaced_where_it_stood(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf: list[Consumer] = []

    class Deaf(Consumer):
        """One hears nothing any more after its first records, like one that has lost its brokers."""

        def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Message]:
            if self in deaf:
                return []
            messages = super().consume(num_messages, timeout)
            if not deaf and any(message.error() is None for message in messages):
                deaf.append(self)
            return messages

    monkeypatch.setattr(analyst, "Consumer", Deaf)
    system = System(settings.kafka, settings.database_url.get_secret_value(), settings.topic_prefix)
    topic = settings.topic_prefix + JOBS_COMPLETED.name
    publisher = Publisher(settings)
    publisher.publish([Outgoing(topic, b"k", b"first", partition=0)])
    with Recorder(tmp_path / "history.jsonl") as recorder, Analyst(system, recorder, quiet_seconds=2) as reader:
        eventually(lambda: deaf, what="a client has heard something")
        publisher.publish([Outgoing(topic, b"k", b"later", partition=number) for number in (0, 1)])
        reader.stop()
    publisher.close()
    seen = sorted((one.partition, one.offset) for one in read_history(tmp_path / "history.jsonl").completion_read)
    assert seen == [(0, 0), (0, 1), (1, 0)]
    assert reader.clients > 1
