"""8: the read table, the terminal events and what clients were shown are the fold of claims and variations."""

import json
from typing import Final

from bench.checker.avro import Undecodable, decode
from bench.checker.facts import Facts
from bench.checker.fold import ended_event, envelope, fold, refused_envelope
from bench.checker.history import JobRead
from bench.checker.report import Findings
from bench.checker.snapshot import Claim, Job
from bench.checker.system import JOB_EVENTS

_TERMINAL: Final = frozenset({"completed", "failed", "canceled"})


def judge(facts: Facts, found: Findings) -> None:
    """Rows, events, answers."""
    for claim in facts.snapshot.tables.claims:
        job = facts.job.get(claim.job)
        if job is not None:
            _row(facts, found, claim, job)
    _events(facts, found)
    for number, read in enumerate(facts.snapshot.history.job_read):
        if read.status == 200 and read.body:
            _answer(facts, found, f"history job_read {number} (job {read.job})", read)


def _row(facts: Facts, found: Findings, claim: Claim, job: Job) -> None:
    folded, where = fold(claim, facts.variations.get(claim.job, [])), f"jobs {claim.job}"
    found.expect(job.status == folded.status, where, f"is {job.status}, its variations make it {folded.status}")
    counts = (folded.succeeded, folded.failed, folded.canceled)
    has = (job.succeeded, job.failed, job.canceled)
    found.expect(has == counts, where, f"counts (succeeded, failed, canceled) {has}, its variations make {counts}")
    found.expect(job.error_code == folded.error_code, where, f"error {job.error_code}, must be {folded.error_code}")
    if job.status in _TERMINAL:
        at_end = (job.stage, job.progress) == ("finalizing", 1.0)
        found.expect(at_end, where, f"has ended at stage {job.stage}, progress {job.progress}")
    else:
        fine = abs(job.progress - sum(counts) / claim.variations) < 1e-9
        found.expect(fine, where, f"progress {job.progress} with {sum(counts)} of {claim.variations} ended")
    if job.status == "canceled":
        found.expect(job.job in facts.canceled_jobs, where, "is canceled, and no cancel was accepted")


def _events(facts: Facts, found: Findings) -> None:
    for record in facts.snapshot.logs[JOB_EVENTS].records:
        where = f"{JOB_EVENTS}/{record.partition}/{record.offset}"
        try:
            name, fields = decode(record.value)
        except Undecodable as error:
            found.violate(where, f"cannot be decoded: {error}")
            continue
        claim, job = facts.claim_of_job.get(fields["jobId"]), facts.job.get(fields["jobId"])
        if claim is None or job is None:
            found.violate(where, f"{name} of {fields['jobId']}, which was never accepted")
            continue
        wanted = ended_event(claim, job, facts.variations.get(claim.job, []))
        if name == "JobFailed":
            wanted["code"] = job.error_code
        wrong = [field for field, value in wanted.items() if fields.get(field) != value]
        found.expect(not wrong, where, f"{name} of {claim.job}: {', '.join(wrong)} are not what the tables say")


def _answer(facts: Facts, found: Findings, where: str, read: JobRead) -> None:
    shown = json.loads(read.body)
    claim, job = facts.claim_of_job.get(read.job), facts.job.get(read.job)
    if (read.etag or "").startswith('"refused-'):
        refusals = facts.refusals_of_job.get((read.org, read.job), [])
        found.expect(
            any(shown == refused_envelope(refusal) for refusal in refusals), where, "shows a refusal that no row has"
        )
    elif claim is None or job is None or claim.org != read.org:
        found.violate(where, "shows a job that was never accepted")
    elif read.job_status in _TERMINAL:
        wanted = envelope(claim, job, facts.variations.get(claim.job, []), facts.snapshot.tables.creatives)
        # Assets come after the end, when they are ready: they are no part of the fold.
        for variation in (shown["result"] or {}).get("variations", []):
            variation["assets"] = []
        wrong = [name for name in {**wanted, **shown} if shown.get(name) != wanted.get(name)]
        found.expect(not wrong, where, f"{', '.join(wrong)} are not the fold of claim and variations")
    else:
        found.expect(shown["result"] is None and shown["error"] is None, where, "a running job with a result or error")
