"""Send dead letters again, each at most once an attempt, whatever dies in between.

The intent is committed first, with the end of the partition as it was. Then the log from there on is asked which of the
intents are in it already, the rest is published, and the log is asked again: only what was read back is marked. A run
that died leaves intents without an offset; the next one begins with the question, so it publishes nothing twice.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from clonepost.deadletters.cases import Case
from runtime.errors import BrokerUnavailable, ClonepostError, ConstraintViolated
from runtime.kafka_admin import KafkaAdmin
from runtime.publishing import Outgoing, Publishing
from runtime.record import header
from runtime.settings import Settings
from runtime.tailing import read_from
from schemas.headers import REDRIVE, REPLY_TO
from storage import dead_letters
from storage.connection import Database
from storage.dead_letters import Action

# Nobody waits any more for the reply to a record that was dead.
_NOT_AGAIN: Final = frozenset({REDRIVE, REPLY_TO})

Attempt = tuple[uuid.UUID, int]


@dataclass(frozen=True, slots=True)
class Redriver:
    """Performs redrives for one operator."""

    settings: Settings
    database: Database
    publisher: Publishing
    admin: KafkaAdmin
    actor: str
    note: str | None

    def redrive(self, cases: Sequence[Case]) -> None:
        """Send these again; each must be open or in doubt. On return all are in their topics and marked.

        Raises ClonepostError when somebody else acts on one of them or one does not hold its record, and
        BrokerUnavailable or DatabaseUnavailable: then the same call again goes on where this one stopped.
        """
        for case in cases:
            if not case.letter.whole:
                source = case.letter.source
                raise ClonepostError(
                    f"letter {case.letter.letter_id} does not hold its record, which was too large and stands at "
                    f"{source.topic}[{source.partition}] offset {source.offset}; discard the letter"
                )
        intents = self._intend(cases)
        by_attempt = {(action.letter_id, action.attempt): case for case, action in zip(cases, intents, strict=True)}
        found = self._find(intents)
        missing = [action for action in intents if (action.letter_id, action.attempt) not in found]
        self.publisher.publish([_record(by_attempt[a.letter_id, a.attempt], a) for a in missing])
        found |= self._find(missing)
        with self.database.transaction() as connection:
            dead_letters.mark_redriven(connection, found)
        if len(found) < len(intents):
            raise BrokerUnavailable(f"kafka: {len(intents) - len(found)} redriven records were not read back")

    def _intend(self, cases: Sequence[Case]) -> list[Action]:
        topics = {case.letter.source.topic for case in cases if case.state == "open"}
        ends = {topic: self.admin.end_offsets(topic) for topic in topics}
        intents = [
            case.actions[-1]
            if case.state == "redriving"
            else Action(
                letter_id=case.letter.letter_id,
                attempt=len(case.actions) + 1,
                kind="redrive",
                actor=self.actor,
                note=self.note,
                began_at_ms=0,
                topic=(source := case.letter.source).topic,
                partition=source.partition,
                from_offset=ends[source.topic].get(source.partition, 0),
            )
            for case in cases
        ]
        new = [intent for case, intent in zip(cases, intents, strict=True) if case.state == "open"]
        try:
            with self.database.transaction() as connection:
                dead_letters.begin(connection, new)
        except ConstraintViolated as error:
            raise ClonepostError("somebody else has just acted on one of these letters; list them again") from error
        return intents

    def _find(self, intents: Sequence[Action]) -> dict[Attempt, int]:
        """The offsets of those intents that are in the log."""
        wanted = {f"{action.letter_id}/{action.attempt}": action for action in intents}
        starts: dict[str, dict[int, int]] = {}
        for action in intents:
            of_topic = starts.setdefault(action.topic or "", {})
            partition, offset = action.partition or 0, action.from_offset or 0
            of_topic[partition] = min(offset, of_topic.get(partition, offset))
        found: dict[Attempt, int] = {}
        for topic, start_offsets in starts.items():
            for record in read_from(self.settings, topic, start_offsets):
                intent = wanted.get(header(record, REDRIVE) or "")
                if intent is not None and (intent.topic, intent.partition) == (topic, record.partition()):
                    # The first: a record that a producer could not be sure of may stand there twice.
                    found.setdefault((intent.letter_id, intent.attempt), record.offset() or 0)
        return found


def discard(database: Database, cases: Sequence[Case], *, actor: str, note: str | None) -> None:
    """Write that nobody will send these again. Raises ClonepostError when somebody else acts on one of them."""
    decided = [
        Action(case.letter.letter_id, len(case.actions) + 1, "discard", actor, note, began_at_ms=0) for case in cases
    ]
    try:
        with database.transaction() as connection:
            dead_letters.begin(connection, decided)
    except ConstraintViolated as error:
        raise ClonepostError("somebody else has just acted on one of these letters; list them again") from error


def _record(case: Case, intent: Action) -> Outgoing:
    letter = case.letter
    kept = [(name, value) for name, value in letter.headers if name not in _NOT_AGAIN]
    return Outgoing(
        topic=letter.source.topic,
        key=letter.key,
        value=letter.value,
        headers=[*kept, (REDRIVE, f"{intent.letter_id}/{intent.attempt}".encode())],
        partition=letter.source.partition,
    )
