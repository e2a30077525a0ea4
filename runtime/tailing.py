"""Read a topic as a person would: from now or from its beginning, outside any group."""

from collections.abc import Iterator
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, TopicPartition

from runtime.kafka import new_consumer
from runtime.record import Record
from runtime.settings import Settings

_POLL_SECONDS: Final = 0.25


def tail(settings: Settings, topic: str, *, partitions: int, from_beginning: bool, until_end: bool) -> Iterator[Record]:
    """Yield committed records of all partitions as they come; end at the current ends where `until_end`."""
    consumer: Consumer = new_consumer(settings, group="tail")
    start = OFFSET_BEGINNING if from_beginning else OFFSET_END
    consumer.assign([TopicPartition(topic, number, start) for number in range(partitions)])
    ended: set[int] = set()
    try:
        while not (until_end and len(ended) == partitions):
            message = consumer.poll(_POLL_SECONDS)
            if message is None:
                continue
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition() or 0)
    finally:
        consumer.close()
