"""Find a thing in a snapshot and change it. Everything else stays the very same object."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from bench.checker import identity, judge
from bench.checker.avro import decode, encode
from bench.checker.facts import Facts
from bench.checker.history import Entry, History
from bench.checker.requests import Asked
from bench.checker.snapshot import Claim, Job, LogRecord, Refusal, Snapshot

Row = TypeVar("Row")
Found = TypeVar("Found")


def broken(snapshot: Snapshot) -> dict[int, list[str]]:
    """What the checker says is broken: by invariant, the places it names."""
    found: dict[int, list[str]] = {}
    for violation in judge(snapshot).violations:
        found.setdefault(violation.invariant, []).append(violation.where)
    return found


def in_table(snapshot: Snapshot, table: str, change: Callable[[list[Any]], Sequence[Any]]) -> Snapshot:
    """The snapshot with other rows in a table."""
    rows: Any = change(list(getattr(snapshot.tables, table)))
    return replace(snapshot, tables=replace(snapshot.tables, **{table: rows}))


def in_log(snapshot: Snapshot, name: str, change: Callable[[list[LogRecord]], Sequence[LogRecord]]) -> Snapshot:
    """The snapshot with other records in a topic."""
    log = snapshot.logs[name]
    return replace(snapshot, logs={**snapshot.logs, name: replace(log, records=change(list(log.records)))})


def in_history(snapshot: Snapshot, kind: str, change: Callable[[list[Any]], list[Any]]) -> Snapshot:
    """The snapshot with other entries of a kind in its history."""
    kinds = {name: list(getattr(snapshot.history, name)) for name in History.__slots__}
    kinds[kind] = change(kinds[kind])
    return replace(snapshot, history=History(**kinds))


def and_seen(snapshot: Snapshot, *entries: Entry) -> Snapshot:
    """The snapshot whose history has these entries too."""
    for entry in entries:
        snapshot = in_history(snapshot, entry.entry, plus(entry))
    return snapshot


def changed(old: Row, **fields: Any) -> Callable[[list[Row]], list[Row]]:
    """That one row or record with other fields."""
    return lambda rows: [replace(row, **fields) if row is old else row for row in rows]  # type: ignore[type-var]


def without(old: Row) -> Callable[[list[Row]], list[Row]]:
    """All but that one."""
    return lambda rows: [row for row in rows if row is not old]


def plus(new: Row) -> Callable[[list[Row]], list[Row]]:
    """One more."""
    return lambda rows: [*rows, new]


def rewritten(record: LogRecord, **fields: Any) -> bytes:
    """The record's value with other fields."""
    name, has = decode(record.value)
    return encode(name, {**has, **fields})


def fields_of(record: LogRecord) -> Mapping[str, Any]:
    """A record's fields."""
    return decode(record.value)[1]


def first(candidates: Iterable[Found], fits: Callable[[Found], Any] = lambda _: True) -> Found:
    """The first that fits; the load is large enough to have one of each."""
    return next(one for one in candidates if fits(one))


def job_in(snapshot: Snapshot, status: str) -> Job:
    """A job that ended so."""
    return first(snapshot.tables.jobs, lambda job: job.status == status)


def claim_of(snapshot: Snapshot, job: str) -> Claim:
    """Its claim."""
    return first(snapshot.tables.claims, lambda claim: claim.job == job)


def event_of(snapshot: Snapshot, topic: str, job: str) -> LogRecord:
    """The only record of a topic that names the job."""
    (record,) = [r for r in snapshot.logs[topic].records if job.encode() in (r.value or b"")]
    return record


def asked_over_kafka(snapshot: Snapshot, place: tuple[int, int]) -> bool:
    """Whether no HTTP answer hangs on the record at this place."""
    one = Facts(snapshot).asked_at[place]
    return one.request_id not in {posted.request_id for posted in snapshot.history.posted}


def refusal_over_kafka(snapshot: Snapshot, code: str, kind: str = "clone") -> Refusal:
    """A refusal with this code that nobody was told over HTTP."""
    return first(
        snapshot.tables.refusals,
        lambda r: (r.code, r.kind) == (code, kind) and asked_over_kafka(snapshot, (r.partition, r.offset)),
    )


def told_once(snapshot: Snapshot, job: str) -> bool:
    """Whether one admission names the job: it was accepted, and neither told again nor canceled."""
    return sum(job.encode() in (r.value or b"") for r in snapshot.logs["clone.admissions"].records) == 1


def record_of(snapshot: Snapshot, request_id: str | None) -> Asked:
    """The record that an answer belongs to."""
    return Facts(snapshot).asked_by_request[request_id or ""][0]


def reads_of(snapshot: Snapshot, job: str) -> list[str]:
    """The places of the history that show the job."""
    reads = [(n, r) for n, r in enumerate(snapshot.history.job_read) if r.job == job and r.status == 200]
    return [f"history job_read {number} (job {job})" for number, _ in reads]


def outside(text: str, prefix: str) -> str:
    """An id as clients see it."""
    return identity.shown(prefix, text)
