"""The internal system of a load keeps at a record until the broker takes it."""

import threading
from pathlib import Path

from confluent_kafka.admin import (  # type: ignore[attr-defined]  # as documented
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from bench.checker import Recorder, System, read_history
from bench.load.plan import Poison
from bench.load.records import InternalSystem
from runtime.settings import Settings
from schemas.topics import REQUESTS
from tests.awaiting import eventually


def limit(settings: Settings, topic: str, max_bytes: int) -> None:
    """What the broker takes of this topic from now on."""
    entry = ConfigEntry("max.message.bytes", str(max_bytes), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers})
    admin.incremental_alter_configs([resource])[resource].result()


def test_records_that_the_broker_refuses_are_produced_again_until_it_takes_them(
    settings: Settings, tmp_path: Path
) -> None:
    topic = settings.topic_prefix + REQUESTS.name
    limit(settings, topic, 1_000)
    system = System(settings.kafka, settings.database_url.get_secret_value(), settings.topic_prefix)
    path = tmp_path / "history.jsonl"
    with Recorder(path) as recorder:
        internal = InternalSystem(system, recorder, threading.Event())
        for key in (b"a", b"b", b"c"):
            internal.send(Poison(REQUESTS.name, key, bytes(5_000)))
        waiting = threading.Thread(target=internal.flush)
        waiting.start()
        eventually(lambda: len(read_history(path).produced) >= 6, what="each record has been refused twice")
        limit(settings, topic, 1_000_000)
        waiting.join()
        internal.close()
    produced = read_history(path).produced
    taken = [one for one in produced if one.offset is not None]
    assert len(taken) == len({(one.partition, one.offset) for one in taken}) == 3
    assert len(produced) >= 9
