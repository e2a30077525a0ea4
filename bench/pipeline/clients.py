"""Kafka clients of the measurement: they read and write bytes, and know places rather than groups."""

from collections.abc import Iterable, Mapping

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from runtime.errors import BrokerUnavailable
from runtime.kafka import new_consumer
from runtime.settings import Settings

Place = tuple[str, int]


def reader(settings: Settings, starts: Mapping[Place, int]) -> Consumer:
    """A read_committed consumer that begins at these offsets, by topic and partition."""
    consumer = new_consumer(settings, group="bench", **{"enable.partition.eof": False})
    consumer.assign([TopicPartition(topic, partition, offset) for (topic, partition), offset in starts.items()])
    return consumer


def checked(messages: Iterable[Message]) -> list[Message]:
    """The records among them. Raises BrokerUnavailable for an error that the client does not mend by itself."""
    records = []
    for message in messages:
        error = message.error()
        if error is None:
            records.append(message)
        elif error.code() != KafkaError._TRANSPORT:
            raise BrokerUnavailable(f"kafka: {error.name()}")
    return records
