"""Reads topics, offsets and groups with Kafka clients of its own, outside any group."""

import time
import uuid
from collections.abc import Iterable, Mapping
from operator import methodcaller
from typing import Any, Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient

from bench.checker.snapshot import Headers, Log, LogRecord
from bench.checker.system import (
    ADMISSIONS,
    DEAD_LETTERS,
    GROUPS,
    JOB_EVENTS,
    JOBS_COMPLETED,
    REQUESTS,
    VARIATION_RESULTS,
    System,
    Unreadable,
)

READ: Final = (REQUESTS, ADMISSIONS, VARIATION_RESULTS, JOB_EVENTS, JOBS_COMPLETED, DEAD_LETTERS)
"""The topics that are read. clone.replies is not: what it says, the clients' history shows."""

_call_headers: Final = methodcaller("headers")
_SECONDS: Final = 15.0
_POLL_SECONDS: Final = 0.02
_BATCH: Final = 10_000
_KEPT_HEADERS: Final = frozenset({"ce_id", "ce_type", "reply_to", "dlq_topic", "dlq_partition", "dlq_offset"})


def read_logs(system: System, names: Iterable[str] = READ) -> dict[str, Log]:
    """These topics from their first committed record to their ends as they are now. Raises Unreadable."""
    consumer = _consumer(system)
    try:
        ids = _topic_ids(system, names)
        return {name: _read(consumer, system.topic(name), name, *ids[name]) for name in ids}
    except KafkaException as error:
        raise Unreadable(f"kafka: {error.args[0].str()}") from error
    finally:
        consumer.close()


def committed_offsets(system: System) -> dict[str, dict[int, int]]:
    """The offsets that each stage's group has committed, by stage and partition. Raises Unreadable."""
    ids = _topic_ids(system, GROUPS.values())
    found: dict[str, dict[int, int]] = {}
    for stage, name in GROUPS.items():
        consumer = _consumer(system, group=f"{system.topic_prefix}clonepost.{stage}")
        try:
            places = [TopicPartition(system.topic(name), number) for number in range(ids[name][1])]
            found[stage] = {p.partition: p.offset for p in consumer.committed(places, _SECONDS) if p.offset >= 0}
        except KafkaException as error:
            raise Unreadable(f"kafka: {error.args[0].str()}") from error
        finally:
            consumer.close()
    return found


def end_offsets(system: System, name: str) -> tuple[str, dict[int, int]]:
    """A topic's id, and the end of each partition. Raises Unreadable."""
    consumer = _consumer(system)
    try:
        topic_id, partitions = _topic_ids(system, [name])[name]
        ends = {p: _bounds(consumer, system.topic(name), p)[1] for p in range(partitions)}
    except KafkaException as error:
        raise Unreadable(f"kafka: {error.args[0].str()}") from error
    finally:
        consumer.close()
    return topic_id, ends


def _read(consumer: Consumer, topic: str, name: str, topic_id: str, partitions: int) -> Log:
    bounds = {partition: _bounds(consumer, topic, partition) for partition in range(partitions)}
    records: list[LogRecord] = []
    waiting = {partition for partition, (start, end) in bounds.items() if start < end}
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in waiting])
    heard_at = time.monotonic()
    while waiting:
        # `consume` waits for a whole batch or its time: the time is short, silence is counted here.
        messages = consumer.consume(_BATCH, _POLL_SECONDS)
        if messages:
            heard_at = time.monotonic()
        elif time.monotonic() > heard_at + _SECONDS:
            raise Unreadable(f"{topic} could not be read to its end")
        for message in messages:
            error, partition = message.error(), message.partition() or 0
            if error is None:
                if (message.offset() or 0) < bounds[partition][1]:
                    records.append(log_record(message))
            elif error.code() == KafkaError._PARTITION_EOF:
                waiting.discard(partition)
            else:
                raise Unreadable(f"reading {topic}: {error.str()}")
    consumer.unassign()
    records.sort(key=lambda record: (record.partition, record.offset))
    return Log(
        name,
        topic_id,
        {partition: start for partition, (start, _) in bounds.items()},
        {partition: end for partition, (_, end) in bounds.items()},
        records,
    )


def log_record(message: Any) -> LogRecord:
    """A record as the client hands it over, with the headers that the checker knows; none where it cannot read them."""
    try:
        # Called in C, where the result is always checked: the client returns half of a list for names that are no text.
        found = _call_headers(message) or ()
    except SystemError:
        message.set_headers([])
        found = ()
    headers: Headers = tuple((name, value) for name, value in found if name in _KEPT_HEADERS and value is not None)
    return LogRecord(message.partition(), message.offset(), message.key(), message.value(), headers)


def _bounds(consumer: Consumer, topic: str, partition: int) -> tuple[int, int]:
    start, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), _SECONDS)
    return start, end


def _topic_ids(system: System, names: Iterable[str]) -> dict[str, tuple[str, int]]:
    wanted = list(names)
    client = AdminClient({**_common(system)})
    futures = client.describe_topics(TopicCollection([system.topic(name) for name in wanted]), request_timeout=_SECONDS)
    found = {}
    for name in wanted:
        try:
            description = futures[system.topic(name)].result(_SECONDS + 5)
        except KafkaException as error:
            raise Unreadable(f"{system.topic(name)}: {error.args[0].str()}") from error
        most, least = (
            description.topic_id.get_most_significant_bits(),
            description.topic_id.get_least_significant_bits(),
        )
        mask = (1 << 64) - 1
        found[name] = str(uuid.UUID(int=(most & mask) << 64 | least & mask)), len(description.partitions)
    return found


def _consumer(system: System, *, group: str = "clonepost-checker") -> Consumer:
    return Consumer(
        {
            **_common(system),
            # The client wants a group's name; nothing is subscribed and nothing is committed under it.
            "group.id": group,
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 50,
            "check.crcs": True,
        }
    )


def _common(system: System) -> Mapping[str, str]:
    return {**system.kafka, "allow.auto.create.topics": "false", "enable.metrics.push": "false"}
