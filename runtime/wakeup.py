"""Wait for news on a topic without reading it: cheaper than polling a database, and never relied upon."""

from typing import Final

import structlog
from confluent_kafka import OFFSET_END, Consumer, TopicPartition

from runtime.broker_watch import BrokerWatch
from runtime.kafka import abandon, new_consumer
from runtime.settings import Settings

_log = structlog.get_logger(__name__)

_DRAIN: Final = 10_000


class TopicWakeup:
    """Tells that records have come since the last call. May miss some and may report some twice: poll as well."""

    def __init__(self, settings: Settings, topic: str, *, partitions: int) -> None:
        self._settings = settings
        self._ends = [TopicPartition(topic, number, OFFSET_END) for number in range(partitions)]
        self._connect()

    def wait(self, timeout_seconds: float) -> None:
        """Return when a record has come, or after the timeout."""
        message = self._consumer.poll(timeout_seconds)
        if message is not None and (error := message.error()) is not None:
            _log.warning("wakeup_error", error=error.name())
        self._consumer.consume(_DRAIN, 0)
        if self._watch.lost:
            _log.warning("client_replaced", client="wakeup")
            abandon(self._consumer)
            self._connect()

    def _connect(self) -> None:
        self._watch = BrokerWatch()
        changes = {"enable.partition.eof": False, **self._watch.config()}
        self._consumer: Consumer = new_consumer(self._settings, group="wakeup", **changes)
        self._consumer.assign(self._ends)

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()
