"""Kafka clients built from settings, with the options that correctness rests on fixed here.

Fixed means fixed: a `KAFKA_*` variable may set security, addresses and sizes, never acknowledgement, commit or
isolation. A contradiction raises `Fatal` when the client is built.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from runtime.errors import Fatal
from runtime.settings import Settings
from schemas.topics import MAX_DEAD_LETTER_BYTES

# Values are what librdkafka takes as text, and callables for its events.
ClientConfig = dict[str, Any]

_PRODUCER_FIXED: Final[ClientConfig] = {
    "enable.idempotence": True,
    "acks": "all",
    # librdkafka's own default is CRC32: other clients would find a container's records in another partition.
    "partitioner": "murmur2_random",
}
_CONSUMER_FIXED: Final[ClientConfig] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "isolation.level": "read_committed",
    # A partition without a committed offset starts at the beginning by an explicit assignment (runtime.batch_loop), so
    # a reset could only mean that records were lost to retention. That must be loud.
    "auto.offset.reset": "error",
    "enable.partition.eof": True,
    # The batch loop assigns incrementally; an eager assignor would refuse that.
    "partition.assignment.strategy": "cooperative-sticky",
}
_COMMON: Final[ClientConfig] = {
    "allow.auto.create.topics": False,
    "enable.metrics.push": False,
    "socket.keepalive.enable": True,
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 1_000,
    # A topic may grow. The default is five minutes, in which records wait in a partition that nobody reads.
    "topic.metadata.refresh.interval.ms": 10_000,
}
_PRODUCER_DEFAULTS: Final[ClientConfig] = {
    "delivery.timeout.ms": 10_000,
    "linger.ms": 2,
    "queue.buffering.max.messages": 20_000,
    # The client's own limit is below what a topic takes: a dead letter of the largest record would never leave.
    "message.max.bytes": MAX_DEAD_LETTER_BYTES,
    "compression.type": "lz4",
}
_CONSUMER_DEFAULTS: Final[ClientConfig] = {
    "max.poll.interval.ms": 60_000,
    "session.timeout.ms": 10_000,
    "heartbeat.interval.ms": 1_000,
    "queued.max.messages.kbytes": 16_384,
    "check.crcs": True,
    "fetch.wait.max.ms": 100,
}
_PRODUCER_ONLY: Final = ("linger.", "delivery.", "queue.buffering", "compression.", "batch.", "acks", "enable.idemp")
_CONSUMER_ONLY: Final = ("fetch.", "session.", "max.poll", "queued.", "group.", "partition.assignment", "check.crcs")


def _merged(settings: Settings, defaults: ClientConfig, fixed: ClientConfig, foreign: tuple[str, ...]) -> ClientConfig:
    if not settings.bootstrap_servers:
        raise Fatal("KAFKA_BOOTSTRAP_SERVERS is not set: name the brokers, or start a local stack with `clonepost up`")
    given = {name: value for name, value in settings.kafka.items() if not name.startswith(foreign)}
    for name, value in fixed.items():
        if name in given and given[name].lower() != str(value).lower():
            raise Fatal(f"KAFKA setting {name}={given[name]} would break a delivery promise; it must be {value}")
    return {**_COMMON, **defaults, **given, **fixed}


def producer_config(settings: Settings, **changes: Any) -> ClientConfig:
    """The configuration of an idempotent producer; `changes` are for one client's own needs (linger, ids)."""
    return {**_merged(settings, _PRODUCER_DEFAULTS, _PRODUCER_FIXED, _CONSUMER_ONLY), **changes}


def consumer_config(settings: Settings, *, group: str, **changes: Any) -> ClientConfig:
    """The configuration of a consumer that commits by hand. `group` is given without the topic prefix."""
    config = _merged(settings, _CONSUMER_DEFAULTS, _CONSUMER_FIXED, _PRODUCER_ONLY)
    config["group.id"] = f"{settings.topic_prefix}clonepost.{group}"
    if settings.instance is not None:
        # Static membership: a process that is restarted under its name takes its partitions back at once.
        config["group.instance.id"] = f"{settings.instance}.{group}"
    return {**config, **changes}


def admin_config(settings: Settings) -> ClientConfig:
    """The configuration of an admin client."""
    return _merged(settings, {}, {}, (*_PRODUCER_ONLY, *_CONSUMER_ONLY))


@contextmanager
def _told_plainly() -> Iterator[None]:
    # A KAFKA_* variable that librdkafka does not know, or a value that it does not take.
    try:
        yield
    except KafkaException as error:
        raise Fatal(f"a KAFKA_* setting is wrong: {error.args[0].str()}") from error


def new_producer(settings: Settings, **changes: Any) -> Producer:
    """An idempotent producer. Create it after any fork."""
    with _told_plainly():
        return Producer(producer_config(settings, **changes))


def new_consumer(settings: Settings, *, group: str, **changes: Any) -> Consumer:
    """A consumer that stores and commits offsets only when told to."""
    with _told_plainly():
        return Consumer(consumer_config(settings, group=group, **changes))


def abandon(consumer: Consumer) -> None:
    """Close a consumer that is not needed any more, without waiting: one that has lost its brokers may not end."""
    threading.Thread(target=consumer.close, name="abandoned-consumer", daemon=True).start()


def new_admin(settings: Settings) -> AdminClient:
    """An admin client."""
    with _told_plainly():
        return AdminClient(admin_config(settings))
