"""Give a topic more partitions, as an operator does."""

from confluent_kafka.cimpl import NewPartitions

from runtime.errors import BrokerUnavailable
from runtime.kafka import new_admin
from runtime.kafka_admin import KafkaAdmin
from runtime.settings import Settings
from tests.awaiting import eventually


def grow(settings: Settings, topic: str, partitions: int) -> None:
    """Grow a topic (by its full name) to so many partitions; on return each has a leader."""
    client = new_admin(settings)
    [grown] = client.create_partitions([NewPartitions(topic, partitions)]).values()
    grown.result()
    admin = KafkaAdmin(settings)

    def grown_to() -> int:
        try:
            return len(admin.end_offsets(topic))
        except BrokerUnavailable:
            # A new partition has a leader a moment before that broker knows that it is one.
            return 0

    eventually(lambda: grown_to() == partitions, what=f"{topic} has {partitions} partitions")
