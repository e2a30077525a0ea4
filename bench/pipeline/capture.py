"""A round's records and rows, as the bytes that the raw limit writes and reads again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bench.pipeline.clients import Place, checked, reader
from bench.pipeline.rounds import Round
from runtime.settings import Settings
from storage.connection import Database

ReadyRecord = tuple[bytes | None, bytes | None, int, Any]
"""Key, value, partition, and the headers or None."""

TABLES: Final[Mapping[str, str]] = {
    "claims": "SELECT * FROM claims WHERE requested_by = %s ORDER BY job_id LIMIT %s",
    "jobs": "SELECT t.* FROM jobs t JOIN picked USING (job_id)",
    "variations": "SELECT t.* FROM variations t JOIN picked USING (job_id)",
    "credit_ledger": "SELECT t.* FROM credit_ledger t JOIN picked USING (job_id)",
    "outbox": "SELECT t.* FROM outbox t JOIN picked USING (job_id)",
}
"""The tables that a job leaves rows in, and the rows of a round's first jobs."""
_PICKED: Final = "WITH picked AS (SELECT job_id FROM claims WHERE requested_by = %s ORDER BY job_id LIMIT %s) "


@dataclass(frozen=True, slots=True)
class Captured:
    """The bytes of `jobs` jobs: records by topic (without prefix), rows by table in COPY's binary format."""

    jobs: int
    records: dict[str, list[ReadyRecord]]
    rows: dict[str, bytes]
    row_counts: dict[str, int]


def capture(settings: Settings, database: Database, done: Round, *, most_jobs: int) -> Captured:
    """Read back what a round wrote, of every topic and table the same share when that is more than `most_jobs`."""
    jobs = min(done.jobs, most_jobs)
    rows, counts = _rows(database, done.requested_by, jobs)
    records = {
        topic.removeprefix(settings.topic_prefix): _records(settings, done, topic, share=jobs / done.jobs)
        for topic in sorted({topic for topic, _ in done.starts})
    }
    return Captured(jobs, records, rows, counts)


def _rows(database: Database, requested_by: str, jobs: int) -> tuple[dict[str, bytes], dict[str, int]]:
    rows: dict[str, bytes] = {}
    counts: dict[str, int] = {}
    with database.transaction() as connection, connection.cursor() as cursor:
        # Whole tables are joined here, which the plans by index of every other statement are wrong for.
        cursor.execute("SET LOCAL enable_hashjoin = on; SET LOCAL enable_seqscan = on")
        for table, select in TABLES.items():
            query = select if "%s" in select else _PICKED + select
            with cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT binary)", (requested_by, jobs)) as copy:
                rows[table] = b"".join(bytes(block) for block in copy)
            counts[table] = cursor.rowcount
    return rows, counts


def _records(settings: Settings, done: Round, topic: str, *, share: float) -> list[ReadyRecord]:
    starts = {place: offset for place, offset in done.starts.items() if place[0] == topic}
    wanted: dict[Place, int] = {}
    for place, start in starts.items():
        wanted[place] = start + round((done.ends[place] - start) * share)
    consumer = reader(settings, starts)
    found: list[ReadyRecord] = []
    unfinished = {place for place, end in wanted.items() if end > starts[place]}
    try:
        while unfinished:
            for message in checked(consumer.consume(2_000, 0.1)):
                place = (message.topic() or "", message.partition() or 0)
                if (message.offset() or 0) < wanted[place]:
                    found.append((message.key(), message.value(), place[1], message.headers()))
            positions = consumer.position(consumer.assignment())
            unfinished -= {(p.topic, p.partition) for p in positions if p.offset >= wanted[p.topic, p.partition]}
    finally:
        consumer.close()
    return found
