"""Partitions that hold something unreadable: bytes that do not match their checksum, or cannot be unpacked.

The client reports it and goes on behind it: a commit would then pass the record for good. It may also lose its place:
librdkafka (2.16) skips too little of what it could not read, takes the rest for the next batch, and fetches from an
offset that is made of bytes. The broker does not have that, and the client gives the partition up as lost.

Here the partition stands: nothing from there on is handed out, the others go on, and it is read again from there until
it can be read. The cause may pass (a bad cable, a replica that takes over), or it is somebody's to repair.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as ClientPartition

from runtime import metrics
from runtime.backoff import full_jitter
from runtime.record import TopicPartition

_log = structlog.get_logger(__name__)

UNREADABLE: Final = frozenset({KafkaError._BAD_MSG, KafkaError._BAD_COMPRESSION})
_ASK_SECONDS: Final = 5.0


@dataclass(slots=True)
class _Damage:
    offset: int
    waits: Iterator[float]
    look_at: float


class DamagedPartitions:
    """Those of one consumer. For its own thread alone."""

    def __init__(self, consumer: Consumer, *, stage: str) -> None:
        self._consumer = consumer
        self._stage = stage
        self._damaged: dict[TopicPartition, _Damage] = {}

    @property
    def some(self) -> bool:
        """Whether there is any: nearly never, and asked for every record."""
        return bool(self._damaged)

    def found(self, place: TopicPartition, offset: int, reason: str) -> None:
        """The client reports something unreadable there: stop reading the partition for a while."""
        damage = self._damaged.get(place)
        if damage is not None and damage.offset < offset:
            return
        if damage is None or damage.offset != offset:
            damage = self._damaged[place] = _Damage(offset, full_jitter(first_seconds=0.5, cap_seconds=15.0), 0.0)
        damage.look_at = time.monotonic() + next(damage.waits)
        self._consumer.pause([ClientPartition(place.topic, place.partition)])
        metrics.STALLS.labels(self._stage).inc()
        _log.error(
            "record_unreadable",
            stage=self._stage,
            topic=place.topic,
            partition=place.partition,
            offset=offset,
            reason=reason,
            meaning="the partition stands here until this can be read; restore it from a replica",
        )

    def holds_back(self, place: TopicPartition, offset: int) -> bool:
        """Whether this stands behind something unreadable. What could not be read, and now is, is healed."""
        damage = self._damaged.get(place)
        if damage is None or offset < damage.offset:
            return False
        if offset == damage.offset:
            self._heal(place)
            return False
        return True

    def stands(self, place: TopicPartition) -> bool:
        """Whether the partition is to stay paused."""
        return place in self._damaged

    def forget(self, places: Iterable[TopicPartition]) -> None:
        """They belong to another member now."""
        for place in places:
            self._damaged.pop(place, None)

    def look_again(self) -> None:
        """Read those again that have waited long enough."""
        now = time.monotonic()
        for place, damage in list(self._damaged.items()):
            if damage.look_at > now:
                continue
            damage.look_at = now + next(damage.waits)
            there = ClientPartition(place.topic, place.partition, damage.offset)
            try:
                low, end = self._consumer.get_watermark_offsets(there, timeout=_ASK_SECONDS)
                self._go_to(there)
                self._consumer.resume([there])
            except KafkaException as error:
                _log.warning("seek_failed", stage=self._stage, topic=place.topic, error=error.args[0].name())
                continue
            if not low <= damage.offset < end:
                # Somebody has deleted it: from here on that is a lost record like any other.
                self._heal(place)

    def _go_to(self, there: ClientPartition) -> None:
        try:
            self._consumer.seek(there)
        except KafkaException as error:
            if error.args[0].code() != KafkaError._STATE:
                raise
            # The client has given the partition up: it takes no place in it until it is assigned anew.
            self._consumer.incremental_unassign([there])
            self._consumer.incremental_assign([there])

    def _heal(self, place: TopicPartition) -> None:
        damage = self._damaged.pop(place)
        _log.warning("record_readable", topic=place.topic, partition=place.partition, offset=damage.offset)
