"""Make a system's topics, however long the broker takes."""

from runtime.errors import BrokerUnavailable
from runtime.kafka_admin import KafkaAdmin
from runtime.settings import Settings
from schemas.topics import ALL_TOPICS
from tests.awaiting import eventually


def make_topics(settings: Settings) -> None:
    """On return every topic exists and each of its partitions has a leader."""
    admin = KafkaAdmin(settings)

    def made() -> bool:
        try:
            admin.create_topics(ALL_TOPICS)
        except BrokerUnavailable:
            # It has taken the request, and had no time to answer it: what is there is left as it is.
            return False
        return True

    eventually(made, what="every topic has leaders")
