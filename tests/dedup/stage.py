"""The stage under test on a real database, with its outputs kept instead of produced."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from consumers.dedup.consumer import DedupHandler
from runtime.dead_letters import DeadLetters
from runtime.publishing import Outgoing
from runtime.record import Batch, TopicPartition
from runtime.settings import Settings
from schemas import codec
from schemas.topics import ADMISSIONS, DEAD_LETTERS, REPLIES, REQUESTS, Topic
from storage.connection import Database
from tests.dedup.records import Read
from tests.dedup.world import World

TOPIC_ID: Final = uuid.UUID("0195e0a0-0000-7000-8000-000000000001")


def dead_letters() -> DeadLetters:
    """The stage's dead letters, within a limit of poison of their own."""
    return DeadLetters(Settings(kafka={}), stage="dedup")


class Recorder:
    """A publisher that keeps what it is given; test_recorder.py holds it against the real one."""

    def __init__(self) -> None:
        self.records: list[Outgoing] = []

    def publish(self, records: Sequence[Outgoing]) -> None:
        self.records += records


@dataclass(slots=True)
class Stage:
    """Feeds records to the handler. Each record gets the next offset of its partition unless it has a place."""

    database: Database
    world: World
    recorder: Recorder = field(default_factory=Recorder)
    next_offset: dict[int, int] = field(default_factory=dict)

    def place(self, *records: Read, partition: int = 0) -> list[Read]:
        first = self.next_offset.get(partition, 0)
        self.next_offset[partition] = first + len(records)
        return [record.at(partition, first + number) for number, record in enumerate(records)]

    def feed(self, *records: Read, partition: int = 0) -> "Outputs":
        """Handle the records as one batch at the partition's next offsets, in a process that has just started."""
        return self.redeliver(*self.place(*records, partition=partition))

    def redeliver(self, *records: Read, ends: dict[int, int] | None = None) -> "Outputs":
        """Handle records where they stand, as a restarted process reads them again."""
        return self.handled_by(self.handler(), *records, ends=ends)

    def handler(self) -> DedupHandler:
        return DedupHandler(
            self.database,
            self.recorder,
            dead_letters(),
            topic_id=TOPIC_ID,
            topic_prefix="",
            reply_partitions=range(REPLIES.partitions),
        )

    def handled_by(self, handler: DedupHandler, *records: Read, ends: dict[int, int] | None = None) -> "Outputs":
        before = len(self.recorder.records)
        batch = Batch(list(records), {TopicPartition(REQUESTS.name, p): end for p, end in (ends or {}).items()})
        handler.handle(batch)
        return Outputs(self.recorder.records[before:])


@dataclass(frozen=True, slots=True)
class Outputs:
    """What one batch published, decoded by topic."""

    records: list[Outgoing]

    def admissions(self) -> list[tuple[str, dict[str, Any]]]:
        decoded = [codec.decode(record.value, ADMISSIONS.records) for record in self._of(ADMISSIONS)]
        return [(one.name, one.record) for one in decoded]

    def names(self) -> list[str]:
        return [name for name, _ in self.admissions()]

    def replies(self) -> list[dict[str, Any]]:
        return [codec.decode(record.value, REPLIES.records).record for record in self._of(REPLIES)]

    def dead_letters(self) -> list[Outgoing]:
        return self._of(DEAD_LETTERS)

    def codes(self) -> list[str]:
        """Of each admission: its code, or its name where it carries none."""
        return [record.get("code", name) for name, record in self.admissions()]

    def _of(self, topic: Topic) -> list[Outgoing]:
        return [record for record in self.records if record.topic == topic.name]
