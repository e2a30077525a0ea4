"""Partitions that no member of a group has, and that nobody is about to get.

A static member that comes back is given the assignment that the broker has kept of it, without a rebalance. So where
all members were away when their topic grew, or one died in the midst of a cooperative rebalance, with partitions given
up and not given to anybody, these stay without a reader until something else causes a rebalance, which need not come.
"""

import struct
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

import structlog
from confluent_kafka import Consumer, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from runtime.kafka import abandon, admin_config, consumer_config
from runtime.settings import Settings

_log = structlog.get_logger(__name__)

_LOOK_SECONDS: Final = 10.0
_ASK_SECONDS: Final = 5.0
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
        config = consumer_config(settings, group=group)
        self._group_id = str(config["group.id"])
        self._name = config.get("group.instance.id")
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
        admin: AdminClient | None = None
        while not self._over.wait(_LOOK_SECONDS):
            try:
                admin = admin or AdminClient(admin_config(self._settings))
                found = self._unowned(admin)
                lasting = found & before
                if lasting:
                    _log.warning("partitions_unowned", stage=self._group, partitions=sorted(p for _, p in lasting))
                    self._rebalance()
            except KafkaException:
                # An outage: whatever was seen before it may be over, and the client may have lost its brokers for good.
                found = lasting = Places()
                admin = None
            before = found - lasting

    def _unowned(self, admin: AdminClient) -> Places:
        # Not `describe_consumer_groups`: librdkafka 2.16 aborts the process when a connection is lost under that
        # question (its pull request 5397).
        # Any: the client's own types say that these are None.
        group: Any = next(iter(admin.list_groups(self._group_id, timeout=_ASK_SECONDS)), None)
        if group is None or group.state != "Stable" or not group.members:
            return Places()
        if not min(member.id for member in group.members).startswith(f"{self._name}-"):
            # The broker names a static member by its name and a UUID.
            return Places()
        owned = {place for member in group.members for place in _assigned(member.assignment)}
        topics = admin.describe_topics(TopicCollection(self._topics), request_timeout=_ASK_SECONDS)
        every = {(name, one.id) for name, topic in topics.items() for one in topic.result().partitions}
        return Places(every - owned)

    def _rebalance(self) -> None:
        """A stranger joins, and leaves when it has its share: each makes the leader assign every partition."""
        config = consumer_config(self._settings, group=self._group)
        config.pop("group.instance.id", None)
        stranger = Consumer(config)
        joined = threading.Event()
        stranger.subscribe(self._topics, on_assign=lambda _consumer, _partitions: joined.set())
        until = time.monotonic() + _JOIN_SECONDS
        while not joined.is_set() and not self._over.is_set() and time.monotonic() < until:
            # What it might read is read again by whoever gets the partition: it commits nothing.
            stranger.poll(_POLL_SECONDS)
        abandon(stranger)


def _assigned(assignment: bytes) -> Iterator[tuple[str, int]]:
    """What a member was given, as Kafka's consumer protocol writes it: version, then each topic with its partitions."""
    if not assignment:
        return
    (topics,), at = struct.unpack_from(">i", assignment, 2), 6
    for _ in range(topics):
        (length,) = struct.unpack_from(">h", assignment, at)
        name = assignment[at + 2 : at + 2 + length].decode()
        (count,) = struct.unpack_from(">i", assignment, at + 2 + length)
        at += 6 + length
        for partition in struct.unpack_from(f">{count}i", assignment, at):
            yield name, partition
        at += 4 * count
