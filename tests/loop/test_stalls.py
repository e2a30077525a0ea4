"""What a stalled stage does with partitions that move to another member meanwhile."""

import threading
from typing import Final

from confluent_kafka import Consumer

from runtime.batch_loop import BatchLoop
from runtime.errors import BrokerUnavailable
from runtime.kafka import consumer_config
from runtime.publishing import Outgoing, Publisher
from runtime.record import Batch
from runtime.settings import Settings
from schemas.topics import VARIATION_RESULTS
from tests.awaiting import eventually
from tests.running_loop import running

PARTITIONS: Final = frozenset(range(VARIATION_RESULTS.partitions))


class Stalling:
    """A handler that stalls from the first batch that has every partition, until told to go on."""

    def __init__(self) -> None:
        self.back = threading.Event()
        self.stalls = 0
        self.seen: set[int] = set()

    def handle(self, batch: Batch) -> None:
        self.seen = {record.partition() or 0 for record in batch.records}
        if (self.stalls or self.seen == PARTITIONS) and not self.back.is_set():
            self.stalls += 1
            raise BrokerUnavailable("kafka: away")


def test_a_stalled_batch_leaves_partitions_to_their_new_owner(settings: Settings) -> None:
    topic = settings.topic_prefix + VARIATION_RESULTS.name
    handler, publisher = Stalling(), Publisher(settings)
    loop = BatchLoop(settings, handler, stage="leaving", topics=[topic])
    stranger = Consumer(consumer_config(settings, group="leaving"))

    def stalled() -> bool:
        publisher.publish([Outgoing(topic, b"key", b"value", partition=partition) for partition in PARTITIONS])
        return handler.stalls >= 1

    def taken() -> set[int]:
        stranger.poll(0.05)
        return {place.partition for place in stranger.assignment()}

    with running(loop):
        try:
            eventually(stalled, what="the stage stalls with records of every partition")
            stranger.subscribe([topic])
            theirs = eventually(taken, what="another member takes partitions")
            stalls = handler.stalls
            eventually(lambda: taken() and handler.stalls >= stalls + 2, what="the batch is handled again")
            assert not handler.seen & theirs
        finally:
            handler.back.set()
            stranger.close()
            publisher.close()
