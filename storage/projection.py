"""The projector's reads and writes: recount jobs, end them, settle their credits, fill the outbox.

`lock` takes the rows of `jobs` in sorted order; `facts`, a statement after it, then sees every variation that ended
before. So whoever projects last sees all, and order, duplicates and lost wake-ups do not matter. The records are named
tuples: a job makes a dozen, and a frozen dataclass takes four times as long to make.
"""

import uuid
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Final, NamedTuple

from storage import untold
from storage.arrays import bigints, byteas, doubles, ints, optional_uuids, smallints, texts, uuids
from storage.connection import Connection
from storage.wallets import Settlement, lock_wallets, settle

_by_number: Final = attrgetter("int")


class JobRow(NamedTuple):
    """A row of `jobs`, locked."""

    job_id: uuid.UUID
    status: str
    stage: str
    progress: float
    version: int
    finished_at_ms: int | None


class ClaimFacts(NamedTuple):
    """What a job's events say of its request; ids that only stand in them are text."""

    job_id: uuid.UUID
    org_id: uuid.UUID
    container_id: str
    project_id: str
    layer_id: str
    source_post_id: str
    source_platform: str
    mode: str
    variations: int
    variation_price: int
    requested_by: str
    requested_at_ms: int
    accepted_at_ms: int
    traceparent: str | None


class VariationFacts(NamedTuple):
    """What a job's state and events say of one variation."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody calls here
    state: str
    attempt: int
    step: str | None
    hook_shape: str | None
    visual_format: str | None
    duration_ms: int | None
    error_code: str | None
    error_message: str | None
    generator: str | None


class Facts(NamedTuple):
    """Everything that decides what a job is."""

    job: JobRow
    claim: ClaimFacts
    variations: tuple[VariationFacts, ...]


class JobChange(NamedTuple):
    """The new state of one job. `finished_at_ms` and what follows are set when it ends."""

    job_id: uuid.UUID
    status: str
    stage: str
    progress: float
    version: int
    at_ms: int
    succeeded: int
    failed: int
    canceled: int
    finished_at_ms: int | None = None
    credits_charged: int | None = None
    error_code: str | None = None
    error_message: str | None = None


class OutboxRow(NamedTuple):
    """One completion event, encoded."""

    event_id: uuid.UUID
    job_id: uuid.UUID
    record_key: str
    record_value: bytes
    traceparent: str | None
    output_partition: int
    created_at_ms: int


def read(connection: Connection, job_ids: Sequence[uuid.UUID]) -> tuple[int, list[Facts]]:
    """Lock these jobs, then read what they are made of. Returns the database's time (Unix ms) and the known jobs."""
    # By number, as Postgres orders them: UUID's own comparison is ten times slower.
    ids = uuids(sorted(job_ids, key=_by_number))
    with connection.pipeline():
        jobs = connection.execute(
            """SELECT job_id, status, stage, progress, version, (extract(epoch FROM finished_at) * 1000)::bigint
               FROM jobs WHERE job_id = ANY(%b::uuid[]) ORDER BY job_id FOR UPDATE""",
            (ids,),
            binary=True,
        )
        # No join: one could begin at the organisation of the post, and so read all of its claims.
        claims = connection.execute(
            """SELECT c.job_id, c.org_id, c.container_id::text, c.project_id::text, c.layer_id::text,
                      c.source_post_id::text,
                      (SELECT s.platform FROM source_posts s
                       WHERE s.org_id = c.org_id AND s.post_id = c.source_post_id),
                      c.mode, c.variations, c.variation_price, c.requested_by, (extract(epoch FROM c.requested_at) *
                      1000)::bigint, (extract(epoch FROM c.accepted_at) * 1000)::bigint, c.traceparent
               FROM claims c WHERE c.job_id = ANY(%b::uuid[])""",
            (ids,),
            binary=True,
        )
        rows = connection.execute(
            """SELECT job_id, variation_index, state, attempt, step, hook_shape, visual_format, duration_ms, error_code,
                      error_message, provenance->>'generator'
               FROM variations WHERE job_id = ANY(%b::uuid[]) ORDER BY job_id, variation_index""",
            (ids,),
            binary=True,
        )
        # Last, so that a job never ends before a variation that it counts.
        now = connection.execute("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
    now_row = now.fetchone()
    now_ms: int = now_row[0] if now_row else 0
    by_job: dict[uuid.UUID, list[VariationFacts]] = {}
    for row in rows:
        by_job.setdefault(row[0], []).append(VariationFacts(*row[1:]))
    facts = {row[0]: ClaimFacts(*row) for row in claims}
    return now_ms, [
        Facts(JobRow(*row), facts[row[0]], tuple(by_job.get(row[0], ()))) for row in jobs if row[0] in facts
    ]


def write(
    connection: Connection,
    batch_id: uuid.UUID,
    changes: Sequence[JobChange],
    settlements: Sequence[Settlement],
    completions: Sequence[OutboxRow],
) -> None:
    """Write what was decided, in one round trip. The jobs' rows are locked; the wallets' are locked here, sorted.

    The jobs that end stand in `untold_ends` under `batch_id` until their events are acknowledged.
    """
    ended = [change.job_id for change in changes if change.finished_at_ms is not None]
    with connection.pipeline():
        if settlements:
            lock_wallets(connection, sorted({settlement.org_id for settlement in settlements}))
            settle(connection, settlements)
        if completions:
            _insert_outbox(connection, completions)
        if changes:
            _update_jobs(connection, changes, {row.job_id: row.event_id for row in completions})
        if ended:
            untold.insert(connection, batch_id, ended)


def _insert_outbox(connection: Connection, rows: Sequence[OutboxRow]) -> None:
    # By id: what is next to each other in the index is written together.
    rows = sorted(rows, key=lambda row: row.event_id.int)
    connection.execute(
        """INSERT INTO outbox (event_id, job_id, record_key, record_value, traceparent, output_partition, created_at)
           SELECT event_id, job_id, record_key, record_value, traceparent, output_partition,
             to_timestamp(created_at / 1000.0)
           FROM unnest(%b::uuid[], %b::uuid[], %b::text[], %b::bytea[], %b::text[], %b::int[], %b::bigint[])
           AS new (event_id, job_id, record_key, record_value, traceparent, output_partition, created_at)""",
        (
            uuids([row.event_id for row in rows]),
            uuids([row.job_id for row in rows]),
            texts([row.record_key for row in rows]),
            byteas([row.record_value for row in rows]),
            texts([row.traceparent for row in rows]),
            ints([row.output_partition for row in rows]),
            bigints([row.created_at_ms for row in rows]),
        ),
    )


def _update_jobs(connection: Connection, changes: Sequence[JobChange], events: Mapping[uuid.UUID, uuid.UUID]) -> None:
    # A job that completes has the event that is in the outbox now: without one the row breaks a check of the table.
    connection.execute(
        """UPDATE jobs j SET status = c.status, stage = c.stage, progress = c.progress, version = c.version,
             updated_at = to_timestamp(c.at / 1000.0), succeeded = c.succeeded, failed = c.failed,
             canceled = c.canceled, finished_at = to_timestamp(c.finished_at / 1000.0),
             credits_charged = c.credits_charged, error_code = c.error_code, error_message = c.error_message,
             completion_event_id = c.completion_event_id
           FROM unnest(%b::uuid[], %b::text[], %b::text[], %b::float8[], %b::int[], %b::bigint[], %b::smallint[],
             %b::smallint[], %b::smallint[], %b::bigint[], %b::bigint[], %b::text[], %b::text[], %b::uuid[])
           AS c (job_id, status, stage, progress, version, at, succeeded, failed, canceled, finished_at,
             credits_charged, error_code, error_message, completion_event_id)
           -- Why CASE: see storage.variations.
           WHERE j.job_id = c.job_id AND CASE WHEN j.status = 'running' THEN true END""",
        (
            uuids([change.job_id for change in changes]),
            texts([change.status for change in changes]),
            texts([change.stage for change in changes]),
            doubles([change.progress for change in changes]),
            ints([change.version for change in changes]),
            bigints([change.at_ms for change in changes]),
            smallints([change.succeeded for change in changes]),
            smallints([change.failed for change in changes]),
            smallints([change.canceled for change in changes]),
            bigints([change.finished_at_ms for change in changes]),
            bigints([change.credits_charged for change in changes]),
            texts([change.error_code for change in changes]),
            texts([change.error_message for change in changes]),
            optional_uuids([events.get(change.job_id) for change in changes]),
        ),
    )
