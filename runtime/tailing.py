"""Read a topic as a person would: from now or from its beginning, outside any group."""

from collections.abc import Iterator, Mapping
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, TopicPartition

from runtime.broker_watch import BrokerWatch
from runtime.errors import BrokerUnavailable
from runtime.kafka import abandon, new_consumer
from runtime.record import Record
from runtime.settings import Settings

_POLL_SECONDS: Final = 0.25


def tail(settings: Settings, topic: str, *, partitions: int, from_beginning: bool, until_end: bool) -> Iterator[Record]:
    """Yield committed records of all partitions as they come; end at the current ends where `until_end`."""
    start = OFFSET_BEGINNING if from_beginning else OFFSET_END
    yield from _read(settings, topic, dict.fromkeys(range(partitions), start), until_end=until_end)


def read_from(settings: Settings, topic: str, start_offsets: Mapping[int, int]) -> Iterator[Record]:
    """Yield the committed records of these partitions from these offsets up to the ends as they are when reached."""
    yield from _read(settings, topic, start_offsets, until_end=True)


def _read(settings: Settings, topic: str, start_offsets: Mapping[int, int], *, until_end: bool) -> Iterator[Record]:
    watch = BrokerWatch()
    consumer: Consumer = new_consumer(settings, group="tail", **watch.config())
    consumer.assign([TopicPartition(topic, partition, offset) for partition, offset in start_offsets.items()])
    ended: set[int] = set()
    try:
        while not (until_end and len(ended) == len(start_offsets)):
            message = consumer.poll(_POLL_SECONDS)
            if watch.lost:
                raise BrokerUnavailable(f"kafka: the client that reads {topic} has lost its brokers; start again")
            if message is None:
                continue
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition() or 0)
    finally:
        abandon(consumer)
