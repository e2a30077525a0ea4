"""6: exactly one completion record per completed job, for every reader. 7: the log and the outbox are the same set."""

from collections import Counter, defaultdict

from bench.checker import identity
from bench.checker.avro import Undecodable, decode
from bench.checker.facts import Facts
from bench.checker.fold import completion_of
from bench.checker.report import Findings
from bench.checker.snapshot import LogRecord
from bench.checker.system import JOBS_COMPLETED


def judge_log(facts: Facts, found: Findings) -> None:
    """What analysts read: the rescan against the jobs, then the live reading against the rescan."""
    log = facts.snapshot.logs[JOBS_COMPLETED]
    completed = {job.job for job in facts.snapshot.tables.jobs if job.status == "completed"}
    places: dict[str, list[str]] = defaultdict(list)
    for record in log.records:
        _record(facts, found, record, completed, places)
    for job in completed:
        have = places.get(job, [])
        where = f"jobs {job}"
        if log.whole or have:
            found.expect(
                len(have) == 1, where, f"is completed and has {len(have)} records: {', '.join(have) or 'none'}"
            )
    _live(facts, found)


def judge_outbox(facts: Facts, found: Findings) -> None:
    """Event ids, places and bytes; and one row for each completed job."""
    log = facts.snapshot.logs[JOBS_COMPLETED]
    in_log: dict[str, list[LogRecord]] = defaultdict(list)
    for record in log.records:
        in_log[record.header("ce_id") or ""].append(record)
    rows = {row.event_id: row for row in facts.snapshot.tables.outbox}
    for event_id, records in in_log.items():
        where = _place(records[0])
        found.expect(event_id in rows, where, f"event {event_id} is in the log and not in the outbox")
        for extra in records[1:]:
            found.violate(_place(extra), f"event {event_id} is in the log again; the first is {where}")
    for row in rows.values():
        where = f"outbox {row.event_id}"
        job = facts.job.get(row.job)
        known = job is not None and job.status == "completed" and job.completion_event_id == row.event_id
        found.expect(known, where, f"its job {row.job} is {job.status if job else 'missing'}")
        if row.published and row.offset is not None and row.offset < log.starts.get(row.partition, 0):
            found.notes["events that retention has deleted"] += 1
            continue
        records = in_log.get(row.event_id, [])
        if not found.expect(bool(records), where, f"event of job {row.job} is not in the log"):
            continue
        record = records[0]
        found.expect(row.published, where, f"is in the log at {_place(record)} and not marked")
        at = (record.partition, record.offset)
        if row.published:
            found.expect(at == (row.partition, row.offset), where, f"marked {row.partition}/{row.offset}, lies at {at}")
        same = record.value == row.value and record.key == row.key.encode()
        found.expect(same, where, f"the record at {_place(record)} has other bytes")
    for current in facts.snapshot.tables.jobs:
        if current.status == "completed":
            found.expect(
                current.completion_event_id in rows, f"jobs {current.job}", "is completed and has no row in the outbox"
            )


def _record(
    facts: Facts, found: Findings, record: LogRecord, completed: set[str], places: dict[str, list[str]]
) -> None:
    where = _place(record)
    try:
        name, fields = decode(record.value)
    except Undecodable as error:
        found.violate(where, f"cannot be decoded: {error}")
        return
    if not found.expect(name == "JobCompleted", where, f"is a {name}"):
        return
    job = fields["jobId"]
    places[job].append(where)
    if not found.expect(job in completed, where, f"job {job} is not completed"):
        return
    claim = facts.claim_of_job.get(job)
    if claim is None:
        return
    found.expect(record.key == claim.container.encode(), where, "its key is not the job's container")
    event_id = identity.job_event_id(job, "JobCompleted")
    ids = (record.header("ce_id"), fields["eventId"])
    found.expect(ids == (event_id, event_id), where, f"(ce_id, eventId) is {ids}, must be {event_id}")
    wanted = completion_of(claim, facts.job[job], facts.variations.get(job, []))
    wrong = [name for name, value in wanted.items() if fields.get(name) != value]
    found.expect(not wrong, where, f"job {job}: {', '.join(wrong)} are not what the tables say")


def _live(facts: Facts, found: Findings) -> None:
    log = facts.snapshot.logs[JOBS_COMPLETED]
    rescan = {(r.partition, r.offset): r.header("ce_id") for r in log.records}
    readers: dict[str, dict[tuple[int, int], str]] = defaultdict(dict)
    seen: Counter[tuple[str, str]] = Counter()
    for number, read in enumerate(facts.snapshot.history.completion_read):
        where = f"history completion_read {number} ({read.reader} {read.partition}/{read.offset})"
        place = (read.partition, read.offset)
        has = rescan.get(place)
        found.expect(has == read.event_id, where, f"read event {read.event_id}, a rescan finds {has}")
        seen[read.reader, read.event_id] += 1
        if seen[read.reader, read.event_id] > 1:
            found.violate(where, f"read event {read.event_id} again")
        readers[read.reader][place] = read.event_id
    for reader, places in readers.items():
        for place, event_id in rescan.items():
            found.expect(
                place in places,
                f"{JOBS_COMPLETED}/{place[0]}/{place[1]}",
                f"the live reader {reader} never saw event {event_id}",
            )


def _place(record: LogRecord) -> str:
    return f"{JOBS_COMPLETED}/{record.partition}/{record.offset}"
