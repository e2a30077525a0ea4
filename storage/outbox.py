"""The relay's reads and writes: unpublished events, and how far the completion topic has been read back.

The row locks of `relay_checkpoints` are leadership, taken per batch and held to the end of its transaction.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from storage.arrays import bigints, uuids
from storage.connection import Connection

# A leader that has not been seen for this long is taken to be gone. Only saves work: safety is the lock and the fence.
LEADER_SILENT_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Pending:
    """One event that is not known to be in the log."""

    event_id: uuid.UUID
    record_key: str
    record_value: bytes
    traceparent: str | None
    output_partition: int
    created_at_ms: int


def add_checkpoints(connection: Connection, topic_id: uuid.UUID, partitions: int) -> None:
    """Make the missing checkpoint rows, at offset 0."""
    connection.execute(
        """INSERT INTO relay_checkpoints (topic_id, partition, next_offset)
           SELECT %s, p, 0 FROM generate_series(0, %s - 1) AS p ON CONFLICT DO NOTHING""",
        (topic_id, partitions),
    )


def lead(connection: Connection, topic_id: uuid.UUID, leader_id: uuid.UUID) -> dict[int, int] | None:
    """Lock the checkpoints and return them by partition; None when another leader was seen lately."""
    rows = connection.execute(
        """SELECT partition, next_offset,
                  leader_id IS DISTINCT FROM %s AND leader_seen_at > clock_timestamp() - make_interval(secs => %s)
           FROM relay_checkpoints WHERE topic_id = %s ORDER BY partition FOR UPDATE""",
        (leader_id, LEADER_SILENT_SECONDS, topic_id),
    ).fetchall()
    if any(other for _, _, other in rows):
        return None
    connection.execute(
        """UPDATE relay_checkpoints SET leader_id = %s, leader_seen_at = clock_timestamp()
           WHERE topic_id = %s AND (leader_id IS DISTINCT FROM %s
                                    OR leader_seen_at < clock_timestamp() - make_interval(secs => %s))""",
        (leader_id, topic_id, leader_id, LEADER_SILENT_SECONDS / 3),
    )
    return {partition: next_offset for partition, next_offset, _ in rows}


def pending(connection: Connection, limit: int) -> list[Pending]:
    """The oldest events that are not known to be in the log."""
    rows = connection.execute(
        """SELECT event_id, record_key, record_value, traceparent, output_partition,
                  (extract(epoch FROM created_at) * 1000)::bigint
           FROM outbox WHERE published_at IS NULL ORDER BY created_at LIMIT %s""",
        (limit,),
        binary=True,
    )
    return [Pending(*row) for row in rows]


def mark_published(connection: Connection, events: Sequence[tuple[uuid.UUID, int]]) -> tuple[int, list[uuid.UUID]]:
    """Mark events (id, offset) that were read back from the log.

    Returns how many were new, and the ids that Postgres does not know at all, which must not exist.
    """
    if not events:
        return 0, []
    # By id: what is next to each other in the index is found together.
    events = sorted(events, key=lambda event: event[0].int)
    ids = uuids([event_id for event_id, _ in events])
    marked = connection.execute(
        """UPDATE outbox o SET published_at = clock_timestamp(), published_offset = e.published_offset
           FROM unnest(%b::uuid[], %b::bigint[]) AS e (event_id, published_offset)
           -- CASE: as a plain condition it has each event compared with all that the index of unpublished ones holds,
           -- and that is every event since the last vacuum.
           WHERE o.event_id = e.event_id AND CASE WHEN o.published_at IS NULL THEN true END""",
        (ids, bigints([offset for _, offset in events])),
    ).rowcount
    if marked == len(events):
        return marked, []
    unknown = connection.execute(
        """SELECT e.event_id FROM unnest(%b::uuid[]) AS e (event_id)
           WHERE NOT EXISTS (SELECT FROM outbox o WHERE o.event_id = e.event_id)""",
        (ids,),
    ).fetchall()
    return marked, [event_id for (event_id,) in unknown]


def move_checkpoints(connection: Connection, topic_id: uuid.UUID, next_offsets: Mapping[int, int]) -> None:
    """Everything below these offsets has been read back and marked."""
    connection.execute(
        """UPDATE relay_checkpoints c SET next_offset = n.next_offset
           FROM unnest(%b::int[], %b::bigint[]) AS n (partition, next_offset)
           WHERE c.topic_id = %s AND c.partition = n.partition AND c.next_offset < n.next_offset""",
        (list(next_offsets), list(next_offsets.values()), topic_id),
    )
