"""1: whatever was acknowledged is in the log, and every 202 and every claim ends, and its end is told."""

from typing import Final

from bench.checker import identity
from bench.checker.avro import Undecodable, decode
from bench.checker.facts import Facts
from bench.checker.report import Findings
from bench.checker.snapshot import Claim, LogRecord
from bench.checker.system import JOB_EVENTS

EVENTS: Final = {"completed": "JobCompleted", "failed": "JobFailed", "canceled": "JobCanceled"}


def judge(facts: Facts, found: Findings) -> None:
    """Acknowledgements first, then ends."""
    _acknowledged(facts, found)
    for claim in facts.snapshot.tables.claims:
        _ended(facts, found, claim)
    for job in facts.snapshot.tables.jobs:
        if job.job not in facts.claim_of_job:
            found.violate(f"jobs {job.job}", "has no claim")
    _told(facts, found)


def _acknowledged(facts: Facts, found: Findings) -> None:
    for number, posted in enumerate(facts.snapshot.history.posted):
        if posted.status != 202:
            continue
        known = posted.job in facts.claim_of_job or (posted.org, posted.job) in facts.refusals_of_job
        where = f"history posted {number} (job {posted.job})"
        found.expect(known, where, "was answered with 202 and has neither a claim nor a refusal")
    for number, produced in enumerate(facts.snapshot.history.produced):
        name = produced.topic.removeprefix(facts.snapshot.topic_prefix)
        log = facts.snapshot.logs.get(name)
        if produced.partition is None or produced.offset is None or log is None:
            continue
        if produced.offset >= log.starts.get(produced.partition, 0):
            there = (produced.partition, produced.offset) in facts.places(name)
            where = f"history produced {number} ({name}/{produced.partition}/{produced.offset})"
            found.expect(there, where, "was acknowledged and is not in the log")


def _ended(facts: Facts, found: Findings, claim: Claim) -> None:
    job = facts.job.get(claim.job)
    where = f"jobs {claim.job}"
    if found.expect(job is not None, where, "is missing, though the request was accepted") and job is not None:
        found.expect(job.org == claim.org, where, f"belongs to {job.org}, its claim to {claim.org}")
        found.expect(job.status in EVENTS, where, f"has not ended: {job.status}, stage {job.stage}")


def _told(facts: Facts, found: Findings) -> None:
    log = facts.snapshot.logs[JOB_EVENTS]
    ends = {job.job: job.status for job in facts.snapshot.tables.jobs if job.status in EVENTS}
    expected = {identity.job_event_id(job, EVENTS[status]): job for job, status in ends.items()}
    told: dict[str, LogRecord] = {}
    for record in log.records:
        where = f"{JOB_EVENTS}/{record.partition}/{record.offset}"
        try:
            name, fields = decode(record.value)
        except Undecodable as error:
            found.violate(where, f"cannot be decoded: {error}")
            continue
        first = told.setdefault(fields["eventId"], record)
        if first is not record:
            found.notes["ends told again"] += 1
            found.expect(first.value == record.value, where, f"{name} of {fields['jobId']} was told with other bytes")
        found.expect(fields["eventId"] in expected, where, f"{name} of {fields['jobId']}: the job has not ended so")
    if not log.whole:
        found.notes["clone.job-events has lost its beginning: what it lacks was not judged"] += 1
        return
    for event_id, job in expected.items():
        found.expect(event_id in told, f"jobs {job}", f"is {ends[job]}, and {JOB_EVENTS} does not tell it")
