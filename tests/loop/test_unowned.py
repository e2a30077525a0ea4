"""A partition that no member of a group was given is given to one, though nothing else makes the group rebalance."""

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions

from runtime import unowned
from runtime.batch_loop import BatchLoop
from runtime.publishing import Outgoing, Publisher
from runtime.record import Batch
from runtime.settings import Settings
from schemas.topics import VARIATION_RESULTS
from tests.awaiting import eventually
from tests.running_loop import running


class Noting:
    """Knows which partitions it has handled records of."""

    def __init__(self) -> None:
        self.handled: set[int] = set()

    def handle(self, batch: Batch) -> None:
        self.handled |= {record.partition() or 0 for record in batch.records}


def test_a_topic_that_grew_while_its_static_members_were_away_is_read_whole(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--minutes 1 --seed 25 --rate 30`: both projectors came back, and a seventh partition had no reader for good."""
    monkeypatch.setattr(unowned, "_LOOK_SECONDS", 0.3)
    topic = settings.topic_prefix + VARIATION_RESULTS.name
    named = settings.model_copy(update={"instance": "one"})
    handler, admin = Noting(), AdminClient({**settings.kafka})
    partitions = set(range(VARIATION_RESULTS.partitions))

    def send(to: set[int]) -> None:
        # A producer that knew the topic before would not know its new partition for a while.
        publisher = Publisher(settings)
        publisher.publish([Outgoing(topic, b"key", b"value", partition=partition) for partition in to])
        publisher.close()

    with running(BatchLoop(named, handler, stage="growing", topics=[topic])):
        send(partitions)
        eventually(lambda: handler.handled == partitions, what="every partition is read")
    grown = admin.create_partitions([NewPartitions(topic, len(partitions) + 1)])
    grown[topic].result()
    # It is back before its session is over, so the broker gives it what it had.
    with running(BatchLoop(named, handler, stage="growing", topics=[topic])):
        send({len(partitions)})
        eventually(lambda: len(partitions) in handler.handled, what="the new partition is read")
