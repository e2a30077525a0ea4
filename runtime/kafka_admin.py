"""Topics: create them as the contract says, know their ids and ends, and tell when a broker is ready to serve."""

import struct
import time
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, cast

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec
from confluent_kafka.cimpl import NewTopic

from runtime.errors import BrokerUnavailable, Fatal
from runtime.kafka import consumer_config, new_admin, new_consumer, new_producer
from runtime.settings import Settings
from schemas.topics import Topic

_REQUEST_SECONDS: Final = 10.0
_OLD_SECONDS: Final = 30.0
_PROBE_GROUP: Final = "readiness-probe"


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as the cluster has it. A topic that is deleted and made again has another id."""

    topic_id: uuid.UUID
    partitions: int


@dataclass(frozen=True, slots=True)
class TopicEnds:
    """Where each partition of a topic ends, and which topic that is: its name may stand for another one by now."""

    topic_id: uuid.UUID
    offsets: dict[int, int]


class KafkaAdmin:
    """Questions and orders to the cluster. Thread-safe. Every method raises BrokerUnavailable when none answers."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._prefix = settings.topic_prefix
        self._connect()

    def create_topics(self, topics: Iterable[Topic], *, replication_factor: int = -1) -> None:
        """Create what is missing and wait until every partition has a leader. Existing topics are left as they are.

        A replication factor of -1 takes the broker's default.
        """
        wanted = list(topics)
        new = [
            NewTopic(
                self._prefix + topic.name,
                num_partitions=topic.partitions,
                replication_factor=replication_factor,
                config=topic.config(),
            )
            for topic in wanted
        ]
        for future in self._client.create_topics(new, request_timeout=_REQUEST_SECONDS).values():
            try:
                _answer(future)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise self._outage(error) from error
        self._await_leaders([self._prefix + topic.name for topic in wanted])

    def topic(self, name: str) -> TopicState:
        """The topic's id and partition count. Raises Fatal when the cluster has no such topic."""
        try:
            description = self._described(name)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise Fatal(f"topic {name} does not exist: create the topics with `clonepost doctor --fix`") from error
            raise self._outage(error) from error
        return TopicState(_topic_id(description), len(description.partitions))

    def end_offsets(self, name: str) -> dict[int, int]:
        """The offsets of `ends`."""
        return self.ends(name).offsets

    def ends(self, name: str) -> TopicEnds:
        """The high watermark of each partition, read now: every record acknowledged before the call lies below it.

        The partitions are those of now, too: a topic may have grown since its state was read. Raises BrokerUnavailable,
        also for an answer that tells of no partition or no offset: a broker that has just started can give one.
        """
        try:
            description = self._described(name)
        except KafkaException as error:
            raise self._outage(error) from error
        partitions = len(description.partitions)
        if partitions == 0:
            raise BrokerUnavailable(f"kafka: no partition of {name} is known yet")
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # no annotations there
        return TopicEnds(_topic_id(description), self._offsets(name, partitions, latest))

    def start_offsets(self, name: str, partitions: int) -> dict[int, int]:
        """The first offset that each partition still has."""
        return self._offsets(name, partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]  # likewise

    def committed_offsets(self, group: str, topic: str, partitions: int) -> dict[int, int]:
        """The offsets that a group has committed in a topic, by partition. `group` is given without the prefix.

        Asked through a consumer that joins nothing: librdkafka 2.16 aborts the process when the admin client's call for
        the same meets a coordinator that is not there.
        """
        consumer = new_consumer(self._settings.model_copy(update={"instance": None}), group=group)
        try:
            places = consumer.committed([TopicPartition(topic, p) for p in range(partitions)], _REQUEST_SECONDS)
        except KafkaException as error:
            raise _outage(error) from error
        finally:
            consumer.close()
        return {place.partition: place.offset for place in places if place.offset >= 0}

    def assignments(self, group: str) -> dict[str, frozenset[tuple[str, int]]]:
        """Topic and partition of all that each member of a group has; empty while the group is not stable.

        By the id that the broker gave the member: for a static one its name, a dash and a UUID. `group` is given
        without the prefix.

        Not asked by `describe_consumer_groups`: librdkafka 2.16 aborts the process when a connection is lost under that
        question (its pull request 5397).
        """
        try:
            found = self._client.list_groups(f"{self._prefix}clonepost.{group}", timeout=_REQUEST_SECONDS)
        except KafkaException as error:
            raise self._outage(error) from error
        # Any: the client's own types say that these are None.
        groups: Iterable[Any] = found
        return {
            member.id: frozenset(_assigned(member.assignment))
            for one in groups
            if one.state == "Stable"
            for member in one.members
        }

    def _described(self, name: str) -> Any:
        return _answer(self._client.describe_topics(TopicCollection([name]), request_timeout=_REQUEST_SECONDS)[name])

    def _offsets(self, name: str, partitions: int, spec: OffsetSpec) -> dict[int, int]:
        request = {TopicPartition(name, number): spec for number in range(partitions)}
        futures = self._client.list_offsets(
            request, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=_REQUEST_SECONDS
        )
        try:
            offsets = {place.partition: _answer(future).offset for place, future in futures.items()}
        except KafkaException as error:
            raise self._outage(error) from error
        if min(offsets.values(), default=0) < 0:
            raise BrokerUnavailable(f"kafka: the offsets of {name} are not known yet")
        return offsets

    def _await_leaders(self, names: list[str]) -> None:
        # Records produced to a topic whose leaders were not known yet have been seen to vanish: wait for all of them.
        until = time.monotonic() + _REQUEST_SECONDS
        while time.monotonic() < until:
            try:
                topics = self._client.list_topics(timeout=_REQUEST_SECONDS).topics
            except KafkaException as error:
                raise self._outage(error) from error
            if all(
                name in topics
                and topics[name].partitions
                and all(p.leader >= 0 for p in topics[name].partitions.values())
                for name in names
            ) and self._lead(names):
                return
            time.sleep(0.05)
        raise BrokerUnavailable(f"kafka: no leaders for {', '.join(names)}")

    def _lead(self, names: list[str]) -> bool:
        # Metadata names a leader a moment before that broker knows that it is one.
        try:
            return all(self.end_offsets(name) for name in names)
        except BrokerUnavailable:
            return False

    def answers(self) -> bool:
        """Whether metadata lists a broker, right now."""
        try:
            return bool(self._client.list_topics(timeout=1.0).brokers)
        except KafkaException as error:
            self._outage(error)
            return False

    def _connect(self) -> None:
        self._client: AdminClient = new_admin(self._settings)
        self._connected_at = time.monotonic()

    def _outage(self, error: KafkaException) -> BrokerUnavailable:
        # It may be the client alone that finds no broker any more (runtime.broker_watch); nobody hears its statistics.
        if time.monotonic() - self._connected_at > _OLD_SECONDS:
            self._connect()
        return _outage(error)


def wait_until_ready(settings: Settings, *, timeout_seconds: float) -> None:
    """Return when a broker is listed and both a group and a transaction coordinator answer.

    Raises BrokerUnavailable when that does not happen in time.
    """
    until = time.monotonic() + timeout_seconds
    admin = KafkaAdmin(settings)
    consumer = Consumer(consumer_config(settings, group=_PROBE_GROUP))
    try:
        while not (admin.answers() and _coordinated(consumer)):
            if time.monotonic() > until:
                servers = settings.bootstrap_servers
                raise BrokerUnavailable(f"kafka at {servers} is not ready after {timeout_seconds:.0f} s")
            time.sleep(0.05)
    finally:
        consumer.close()
    producer = new_producer(settings, **{"transactional.id": f"{settings.topic_prefix}clonepost.{_PROBE_GROUP}"})
    while True:
        try:
            producer.init_transactions(max(0.1, until - time.monotonic()))
        except KafkaException as error:
            # "Coordinator load in progress" on first use; everything else ends with the time.
            if time.monotonic() > until or error.args[0].fatal():
                raise _outage(error) from error
        else:
            return


def _coordinated(consumer: Consumer) -> bool:
    try:
        consumer.committed([TopicPartition(_PROBE_GROUP, 0)], 1.0)
    except KafkaException:
        return False
    return True


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


def _topic_id(description: Any) -> uuid.UUID:
    most = description.topic_id.get_most_significant_bits()
    least = description.topic_id.get_least_significant_bits()
    mask = (1 << 64) - 1
    return uuid.UUID(int=(most & mask) << 64 | least & mask)


def _answer(future: Future[Any]) -> Any:
    try:
        return cast("Any", future.result(_REQUEST_SECONDS + 5))
    except TimeoutError as error:
        # The client's own time limit comes first, unless this process was frozen or starved meanwhile.
        raise BrokerUnavailable("kafka: the client itself gave no answer in time") from error


def _outage(error: KafkaException) -> BrokerUnavailable:
    return BrokerUnavailable(f"kafka: {error.args[0].name()}")
