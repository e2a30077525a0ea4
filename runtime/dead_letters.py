"""Turn a poison record into a dead letter: its key and value bytes unchanged, why and where from in headers.

A record that is larger than any dead letter may be (compressed, its topic took it) is named and not repeated: a letter
that no broker takes would be tried for ever, and its partition stand still.
The dead letter's `ce_id` is a function of the record's place, so a letter that a crash wrote twice is known as one.
"""

import time
import uuid
from collections.abc import Sequence
from typing import Final

from runtime import metrics
from runtime.errors import Poison
from runtime.framing import value_as_read
from runtime.poison_limit import PoisonLimit
from runtime.publishing import Outgoing
from runtime.record import Record, header_pairs, raw_bytes
from runtime.settings import Settings
from schemas import headers as names
from schemas.topics import DEAD_LETTERS, MAX_DEAD_LETTER_BYTES

# Never change: readers know a dead letter by ids made from it.
_NAMESPACE: Final = uuid.UUID("6f0f5f0a-5a0e-5d43-9c39-0b9f0b8b7c55")
_DETAIL_CHARACTERS: Final = 500
# What the record's frame in its batch takes is a small part of the difference.
_MOST_BYTES: Final = MAX_DEAD_LETTER_BYTES - 65_536
_MOST_KEY_BYTES: Final = 1_024


class DeadLetters:
    """Where one stage's poison goes. A batch has two calls: `letters` before it is published, `published` after it."""

    def __init__(self, settings: Settings, *, stage: str) -> None:
        self._stage = stage
        self._topic = settings.topic_prefix + DEAD_LETTERS.name
        self._limit = PoisonLimit(stage, count=settings.poison_limit_count, share=settings.poison_limit_share)

    def letters(self, poison: Sequence[tuple[Record, Poison]], *, of_records: int) -> list[Outgoing]:
        """A dead letter for each. Raises Fatal, before anything of the batch has an effect, when it is too much."""
        self._limit.check(len(poison), of_records)
        return [
            dead_letter(record, error, stage=self._stage, dead_letters_topic=self._topic) for record, error in poison
        ]

    def published(self, poison: Sequence[tuple[Record, Poison]], *, of_records: int) -> None:
        """The batch is published to its end."""
        self._limit.passed(len(poison), of_records)
        for _, error in poison:
            metrics.DEAD_LETTERS.labels(self._stage, error.reason).inc()


def dead_letter_id(topic: str, partition: int, offset: int) -> uuid.UUID:
    """The id of the dead letter of the record at that place."""
    return uuid.uuid5(_NAMESPACE, f"{topic}/{partition}/{offset}")


def dead_letter(record: Record, error: Poison, *, stage: str, dead_letters_topic: str) -> Outgoing:
    """The record to publish on the dead-letter topic. The original headers are kept behind ours."""
    topic, partition, offset = record.topic() or "", record.partition() or 0, record.offset() or 0
    ours = {
        names.CE_ID: str(dead_letter_id(topic, partition, offset)),
        names.DEAD_LETTER_REASON: error.reason,
        names.DEAD_LETTER_DETAIL: error.detail[:_DETAIL_CHARACTERS],
        names.DEAD_LETTER_STAGE: stage,
        names.DEAD_LETTER_TOPIC: topic,
        names.DEAD_LETTER_PARTITION: str(partition),
        names.DEAD_LETTER_OFFSET: str(offset),
        names.DEAD_LETTER_TIME: str(time.time_ns() // 1_000_000),
    }
    pairs = header_pairs(record)
    own_ids = [value for name, value in pairs if name == names.CE_ID and value is not None]
    own_id = [(names.DEAD_LETTER_CE_ID, value) for value in own_ids[-1:]]
    kept = [(name, value) for name, value in pairs if name not in ours and value is not None]
    key, value = raw_bytes(record.key()), value_as_read(record)
    size = len(key or b"") + len(value or b"") + sum(len(name.encode()) + len(text) for name, text in own_id + kept)
    if size > _MOST_BYTES:
        ours[names.DEAD_LETTER_OMITTED] = str(size)
        key, value, own_id, kept = key if len(key or b"") <= _MOST_KEY_BYTES else None, None, [], []
    return Outgoing(
        topic=dead_letters_topic,
        key=key,
        value=value,
        headers=[*((name, text.encode()) for name, text in ours.items()), *own_id, *kept],
        as_it_is=True,
    )
