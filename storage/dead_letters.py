"""What operators did about dead letters: the audit log. The letters themselves are records of clone.dead-letters."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from storage.connection import Connection

ActionKind = Literal["redrive", "discard"]


@dataclass(frozen=True, slots=True)
class Action:
    """One decision about one letter. `attempt` counts the letter's actions from 1.

    A redrive goes to `topic` and `partition`. It was published at `record_offset`; while that is None it may or may not
    have been, and the log from `from_offset` on tells.
    """

    letter_id: uuid.UUID
    attempt: int
    kind: ActionKind
    actor: str
    note: str | None
    began_at_ms: int
    topic: str | None = None
    partition: int | None = None
    from_offset: int | None = None
    record_offset: int | None = None


def actions(connection: Connection) -> list[Action]:
    """The whole log, the actions of each letter in their order."""
    rows = connection.execute(
        """SELECT letter_id, attempt, kind, actor, note, (extract(epoch FROM began_at) * 1000)::bigint, topic,
             partition, from_offset, record_offset
           FROM dead_letter_actions ORDER BY letter_id, attempt"""
    )
    return [Action(*row) for row in rows]


def begin(connection: Connection, begun: Sequence[Action]) -> None:
    """Write actions before they have any effect. `began_at_ms` is the database's to say and is not read.

    Raises ConstraintViolated when somebody else has acted on one of the letters since they were read.
    """
    with connection.cursor() as cursor:
        cursor.executemany(
            """INSERT INTO dead_letter_actions (letter_id, attempt, kind, actor, note, topic, partition, from_offset)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s)""",
            [(a.letter_id, a.attempt, a.kind, a.actor, a.note, a.topic, a.partition, a.from_offset) for a in begun],
        )


def mark_redriven(connection: Connection, record_offsets: Mapping[tuple[uuid.UUID, int], int]) -> None:
    """Say where the redrives (letter, attempt) were found in the log. The first answer stays."""
    with connection.cursor() as cursor:
        cursor.executemany(
            """UPDATE dead_letter_actions SET record_offset = %s
               WHERE letter_id = %s AND attempt = %s AND record_offset IS NULL""",
            [(offset, letter_id, attempt) for (letter_id, attempt), offset in record_offsets.items()],
        )
