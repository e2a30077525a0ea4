"""Partitions that no member of a group has, and that nobody is about to get.

A static member that comes back is given the assignment that the broker has kept of it, without a rebalance. So where
all members were away when their topic grew, or one died in the midst of a cooperative rebalance, with partitions given
up and not given to anybody, these stay without a reader until something else causes a rebalance, which need not come.
"""

import threading
import time
from collections.abc import Sequence
from typing import Final

import structlog
from confluent_kafka import KafkaException

from runtime.errors import ClonepostError
from runtime.kafka import abandon, consumer_config, new_consumer
from runtime.kafka_admin import KafkaAdmin
from runtime.settings import Settings

_log = structlog.get_logger(__name__)

_LOOK_SECONDS: Final = 10.0
_JOIN_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.1

Places = frozenset[tuple[str, int]]


class UnownedPartitions:
    """Looks from a thread of its own, and has the group rebalance when it finds the same ones a second time.

    The first of the group's members does it for all of them. A member without a name needs none: whenever such a
    one comes or goes, the group is rebalanced.
    """

    def __init__(self, settings: Settings, *, group: str, topics: Sequence[str]) -> None:
        """`group` is given without the topic prefix, `topics` by full names."""
        self._settings = settings
        self._group = group
        self._name = consumer_config(settings, group=group).get("group.instance.id")
        self._topics = list(topics)
        self._over = threading.Event()

    def start(self) -> None:
        """Begin to look."""
        if self._name is not None:
            threading.Thread(target=self._run, name="unowned", daemon=True).start()

    def stop(self) -> None:
        """End soon."""
        self._over.set()

    def _run(self) -> None:
        before = Places()
        admin: KafkaAdmin | None = None
        while not self._over.wait(_LOOK_SECONDS):
            try:
                admin = admin or KafkaAdmin(self._settings)
                found = self._unowned(admin)
                lasting = found & before
                if lasting:
                    _log.warning("partitions_unowned", stage=self._group, partitions=sorted(p for _, p in lasting))
                    self._rebalance()
            except (ClonepostError, KafkaException):
                # An outage, or a topic that is being made anew: whatever was seen before it may be over.
                found = lasting = Places()
            before = found - lasting

    def _unowned(self, admin: KafkaAdmin) -> Places:
        owned = admin.assignments(self._group)
        if not min(owned, default="").startswith(f"{self._name}-"):
            return Places()
        every = {(name, number) for name in self._topics for number in range(admin.topic(name).partitions)}
        return Places(every.difference(*owned.values()))

    def _rebalance(self) -> None:
        """A stranger joins, and leaves when it has its share: each makes the leader assign every partition."""
        stranger = new_consumer(self._settings.model_copy(update={"instance": None}), group=self._group)
        joined = threading.Event()
        stranger.subscribe(self._topics, on_assign=lambda _consumer, _partitions: joined.set())
        until = time.monotonic() + _JOIN_SECONDS
        while not joined.is_set() and not self._over.is_set() and time.monotonic() < until:
            # What it might read is read again by whoever gets the partition: it commits nothing.
            stranger.poll(_POLL_SECONDS)
        abandon(stranger)
