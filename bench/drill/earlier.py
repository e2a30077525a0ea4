"""What a clone.requests that is no more has left in the tables: its successor's offsets begin at 0 again."""

import random
import uuid
from collections.abc import Sequence
from typing import Final

from storage.connection import Connection

_OFFSETS: Final = 300
_REFUSALS: Final = """
  INSERT INTO refusals (topic_id, partition, record_offset, kind, org_id, container_id, job_id, code, message,
    refused_at)
  SELECT %s, p, o, 'clone', %s::uuid, gen_random_uuid(), gen_random_uuid(), 'BILLING_EXHAUSTED', 'Of a day long past.',
    clock_timestamp() - interval '30 days'
  FROM generate_series(0, %s - 1) AS p CROSS JOIN generate_series(0, %s) AS o"""
_PROGRESS: Final = """
  INSERT INTO dedup_progress (topic_id, partition, next_offset)
  SELECT %s, p, %s FROM generate_series(0, %s - 1) AS p"""


def leave_rows(connection: Connection, orgs: Sequence[str], *, partitions: int, seed: int) -> None:
    """A refusal at every one of the first offsets, and the progress of a topic that was read far beyond them."""
    source = random.Random(f"earlier/{seed}")  # noqa: S311 -- repeatable on purpose
    topic_id = uuid.UUID(int=source.getrandbits(128), version=4)
    connection.execute(_REFUSALS, (topic_id, source.choice(orgs), partitions, _OFFSETS))
    connection.execute(_PROGRESS, (topic_id, 1_000_000, partitions))
