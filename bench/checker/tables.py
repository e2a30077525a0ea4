"""Reads Postgres by plain SQL over a connection of its own."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import psycopg

from bench.checker.snapshot import (
    Cancellation,
    Claim,
    Grant,
    IdempotencyKey,
    Job,
    LedgerEntry,
    OutboxRow,
    Refusal,
    Tables,
    Variation,
    Wallet,
)
from bench.checker.system import Unreadable

_ROWS: Final = 10_000
_UUID_CHARACTERS: Final = 36

_CLAIMS: Final = """
  SELECT c.org_id::text, c.container_id::text, c.job_id::text, c.project_id::text, c.layer_id::text, l.format,
    c.source_post_id::text, s.platform, c.mode, c.variations, c.variation_price, c.ordinal, c.requested_by,
    (extract(epoch FROM c.requested_at) * 1000)::bigint, (extract(epoch FROM c.accepted_at) * 1000)::bigint,
    (extract(epoch FROM c.deadline_at) * 1000)::bigint, c.topic_id::text, c.partition, c.record_offset
  FROM claims c LEFT JOIN project_layers l ON l.layer_id = c.layer_id AND l.org_id = c.org_id
  LEFT JOIN source_posts s ON s.post_id = c.source_post_id AND s.org_id = c.org_id"""
_REFUSALS: Final = """
  SELECT topic_id::text, partition, record_offset, kind, org_id::text, container_id::text, job_id::text,
    project_id::text, code, message, details::text, (extract(epoch FROM refused_at) * 1000)::bigint FROM refusals"""
_CANCELLATIONS: Final = """
  SELECT job_id::text, org_id::text, container_id::text, topic_id::text, partition, record_offset FROM cancellations"""
_JOBS: Final = """
  SELECT job_id::text, org_id::text, status, stage, progress, version,
    (extract(epoch FROM finished_at) * 1000)::bigint, succeeded, failed, canceled, credits_charged, error_code,
    error_message, completion_event_id::text FROM jobs"""
_VARIATIONS: Final = """
  SELECT job_id::text, variation_index, org_id::text, state, attempt, losses, retries,
    (extract(epoch FROM finished_at) * 1000)::bigint, hook_shape, visual_format, duration_ms, error_code,
    error_message, provenance->>'generator', (provenance->>'attempts')::int FROM variations"""
_LEDGER: Final = """
  SELECT job_id::text, kind, org_id::text, available_delta, reserved_delta,
    (extract(epoch FROM created_at) * 1000)::bigint FROM credit_ledger"""
_OUTBOX: Final = """
  SELECT event_id::text, job_id::text, record_key, record_value, output_partition, published_at IS NOT NULL,
    published_offset FROM outbox"""
_CREATIVES: Final = """
  SELECT job_id::text, variation_index, creative FROM variations
  WHERE job_id = ANY(%s::uuid[]) AND creative IS NOT NULL"""

Row = TypeVar("Row")


def read_tables(database_url: str, *, creatives_of: Sequence[str]) -> Tables:
    """Every table at one moment. `creatives_of` names the jobs whose creatives are wanted too. Raises Unreadable."""
    with _connection(database_url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        creatives = connection.execute(_CREATIVES, (list(creatives_of),)).fetchall()
        return Tables(
            claims=_rows(connection, Claim, _CLAIMS),
            refusals=_rows(connection, Refusal, _REFUSALS),
            cancellations=_rows(connection, Cancellation, _CANCELLATIONS),
            jobs=_rows(connection, Job, _JOBS),
            variations=_rows(connection, Variation, _VARIATIONS),
            ledger=_rows(connection, LedgerEntry, _LEDGER),
            grants=_rows(connection, Grant, "SELECT grant_id::text, org_id::text, amount FROM credit_grants"),
            wallets=_rows(connection, Wallet, "SELECT org_id::text, available, reserved, running_jobs FROM wallets"),
            outbox=_rows(connection, OutboxRow, _OUTBOX),
            idempotency_keys=_rows(
                connection, IdempotencyKey, "SELECT org_id::text, idempotency_key, job_id::text FROM idempotency_keys"
            ),
            untold=[job for (jobs,) in connection.execute("SELECT job_ids::text[] FROM untold_ends") for job in jobs],
            dedup_progress=_places(connection, "SELECT topic_id::text, partition, next_offset FROM dedup_progress"),
            relay_checkpoints=_places(
                connection, "SELECT topic_id::text, partition, next_offset FROM relay_checkpoints"
            ),
            creatives={(job, index): creative for job, index, creative in creatives},
        )


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What the tables say of work that is not done, in the order in which it is done."""

    judged_offsets: int
    running_jobs: int
    unmarked_events: int
    untold_ends: int

    @property
    def left(self) -> tuple[int, int, int]:
        """Falls, read from its front, with everything that is done once no new request comes."""
        return -self.judged_offsets, self.running_jobs, self.unmarked_events + self.untold_ends

    def __bool__(self) -> bool:
        return any((self.running_jobs, self.unmarked_events, self.untold_ends))

    def __str__(self) -> str:
        return (
            f"{self.running_jobs} running jobs, {self.unmarked_events} outbox rows that are not marked, "
            f"{self.untold_ends} batches of untold ends"
        )


def unfinished(database_url: str) -> Unfinished:
    """How far dedup is, jobs that run, outbox rows that are not marked, ends that are untold. Raises Unreadable."""
    with _connection(database_url) as connection:
        row = connection.execute(
            """SELECT (SELECT coalesce(sum(next_offset), 0)::bigint FROM dedup_progress),
                      (SELECT count(*) FROM jobs WHERE status = 'running'),
                      (SELECT count(*) FROM outbox WHERE published_at IS NULL),
                      (SELECT count(*) FROM untold_ends)"""
        ).fetchone()
    return Unfinished(*(row or (0, 0, 0, 0)))


@contextmanager
def _connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    try:
        with psycopg.connect(database_url, application_name="clonepost-checker", connect_timeout=5) as connection:
            yield connection
    except psycopg.Error as error:
        raise Unreadable(f"postgres: {type(error).__name__} ({error.sqlstate or 'no answer'})") from error


def _rows(connection: psycopg.Connection[Any], kind: type[Row], statement: str) -> list[Row]:
    # A cursor of the server's: 300,000 rows are never in memory twice.
    with connection.cursor(name=kind.__name__.lower(), binary=True) as cursor:
        cursor.itersize = _ROWS
        cursor.execute(statement)
        return [kind(*_interned(row)) for row in cursor]


def _places(connection: psycopg.Connection[Any], statement: str) -> dict[tuple[str, int], int]:
    return {(topic_id, partition): offset for topic_id, partition, offset in connection.execute(statement)}


def _interned(row: tuple[Any, ...]) -> Iterator[Any]:
    for value in row:
        yield sys.intern(value) if type(value) is str and len(value) <= _UUID_CHARACTERS else value
