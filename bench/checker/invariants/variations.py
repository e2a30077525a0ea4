"""5: each variation ends once, and what it ended with was written by the attempt that the row counts."""

from collections import Counter
from typing import Final

from bench.checker.avro import decode
from bench.checker.facts import Facts
from bench.checker.report import Findings
from bench.checker.requests import poison_reason
from bench.checker.snapshot import Job, Variation
from bench.checker.system import VARIATION_RESULTS

ENDED: Final = frozenset({"succeeded", "failed", "canceled"})
_OF_THE_SWEEPER: Final = frozenset({"WORKER_LOST", "DEADLINE_EXCEEDED"})


def judge(facts: Facts, found: Findings) -> None:
    """Rows first, then what the wake-ups say."""
    kept = bool(facts.snapshot.history.workers_kept)
    for claim in facts.snapshot.tables.claims:
        job = facts.job.get(claim.job)
        rows = facts.variations.get(claim.job, [])
        where = f"variations {claim.job}"
        indexes = [row.index for row in rows]
        if job is not None and job.status != "running":
            wanted = list(range(claim.variations))
            found.expect(indexes == wanted, where, f"has rows {indexes}, must have {wanted}")
        for row in rows:
            found.expect(row.org == claim.org, f"{where} {row.index}", f"belongs to {row.org}, not {claim.org}")
            _row(found, row, job)
            if kept:
                # A lease that runs out permits others to take over. It forbids nothing to its owner, who is there.
                found.expect(
                    not row.losses, f"{where} {row.index}", f"counts {row.losses} lost workers, and none was lost"
                )
    for job_id in facts.variations:
        if job_id not in facts.claim_of_job:
            found.violate(f"variations {job_id}", "belong to no accepted job")
    _wake_ups(facts, found)


def _row(found: Findings, row: Variation, job: Job | None) -> None:
    where = f"variations {row.job} {row.index}"
    if job is not None and job.status != "running":
        found.expect(row.state in ENDED, where, f"is {row.state}, though its job is {job.status}")
        # The job's end counts its variations under its lock: one that ended later was not counted.
        late = row.finished_at_ms is None or job.finished_at_ms is None or row.finished_at_ms > job.finished_at_ms
        found.expect(not late, where, f"ended at {row.finished_at_ms}, after its job ({job.finished_at_ms})")
    if row.state == "succeeded" or (row.state == "failed" and row.written_by is not None):
        found.expect(
            row.written_by == row.attempt, where, f"attempt {row.written_by} wrote it, attempt {row.attempt} held it"
        )
    elif row.state == "failed":
        found.expect(row.error_code in _OF_THE_SWEEPER, where, f"failed {row.error_code}, and no attempt says so")
    elif row.state == "canceled":
        found.expect(row.written_by is None, where, f"is canceled and has the result of attempt {row.written_by}")
    # A loss and a "later" each end an attempt, a result ends another one, and no attempt is counted twice.
    used = row.losses + row.retries + (row.written_by is not None)
    ends = f"{row.losses} losses, {row.retries} retries, {'a' if row.written_by is not None else 'no'} result"
    found.expect(used <= row.attempt, where, f"{ends} in {row.attempt} attempts")


def _wake_ups(facts: Facts, found: Findings) -> None:
    told: Counter[tuple[str, int]] = Counter()
    for record in facts.snapshot.logs[VARIATION_RESULTS].records:
        if poison_reason(VARIATION_RESULTS, record) is not None:
            continue
        _, fields = decode(record.value)
        where = f"{VARIATION_RESULTS}/{record.partition}/{record.offset}"
        job_id = fields["jobId"]
        claim = facts.claim_of_job.get(job_id)
        if not found.expect(claim is not None, where, f"wakes for {job_id}, which was never accepted") or claim is None:
            continue
        ended = {row.index for row in facts.variations.get(job_id, ()) if row.state in ENDED}
        stray = [index for index in fields["indexes"] if index not in ended]
        found.expect(not stray, where, f"says that variations {stray} of {job_id} ended; their rows do not")
        told.update((job_id, index) for index in fields["indexes"])
    repeated = sum(count - 1 for count in told.values())
    if repeated:
        found.notes["ends of variations announced again"] += repeated
