"""What a job is, given its variations. Pure.

running -> completed | failed | canceled when every variation has ended: any canceled one makes it canceled, else one
that succeeded makes it completed, else it failed. While it runs, stage, progress and version only rise.
"""

from typing import Final, NamedTuple

from schemas.errors import ErrorCode
from storage.projection import Facts, JobChange, VariationFacts

STAGES: Final = ("queued", "analyzing_source", "generating", "rendering", "finalizing")
_RANK: Final = {stage: rank for rank, stage in enumerate(STAGES)}
_ENDED: Final = frozenset({"succeeded", "failed", "canceled"})


class Counts(NamedTuple):
    """How many variations ended, and how."""

    succeeded: int
    failed: int
    canceled: int

    @property
    def ended(self) -> int:
        """All that will not change any more."""
        return self.succeeded + self.failed + self.canceled


def count(variations: tuple[VariationFacts, ...]) -> Counts:
    """Count the states that are final."""
    states = [variation.state for variation in variations]
    return Counts(states.count("succeeded"), states.count("failed"), states.count("canceled"))


def transition(facts: Facts, *, now_ms: int) -> JobChange | None:
    """The job's next state, or None where nothing changes."""
    job = facts.job
    if job.status != "running":
        return None
    counts = count(facts.variations)
    if counts.ended < facts.claim.variations:
        return _rise(facts, counts, now_ms)
    status, code, message = _end(facts.variations, counts)
    return JobChange(
        job_id=job.job_id,
        status=status,
        stage="finalizing",
        progress=1.0,
        version=job.version + 1,
        at_ms=now_ms,
        succeeded=counts.succeeded,
        failed=counts.failed,
        canceled=counts.canceled,
        finished_at_ms=now_ms,
        credits_charged=counts.succeeded * facts.claim.variation_price,
        error_code=code,
        error_message=message,
    )


def _rise(facts: Facts, counts: Counts, now_ms: int) -> JobChange | None:
    job = facts.job
    stage = max(job.stage, _stage(facts.variations), key=_RANK.__getitem__)
    progress = max(job.progress, counts.ended / facts.claim.variations)
    if (stage, progress) == (job.stage, job.progress):
        return None
    return JobChange(job.job_id, "running", stage, progress, job.version + 1, now_ms, *counts)


def _end(variations: tuple[VariationFacts, ...], counts: Counts) -> tuple[str, str | None, str | None]:
    """The terminal status, and the error's code and message where it failed."""
    if counts.canceled:
        return "canceled", None, None
    if counts.succeeded:
        return "completed", None, None
    return "failed", *failure(variations)


def failure(variations: tuple[VariationFacts, ...]) -> tuple[str, str]:
    """Why a job failed: its deadline if that is what ended a variation, else its first failed variation's reason."""
    failed = [variation for variation in variations if variation.state == "failed"]
    late = next((v for v in failed if v.error_code == ErrorCode.DEADLINE_EXCEEDED), None)
    if late is not None:
        return ErrorCode.DEADLINE_EXCEEDED.value, "The job did not end in time."
    return failed[0].error_code or ErrorCode.INTERNAL.value, failed[0].error_message or "No variation could be made."


def _stage(variations: tuple[VariationFacts, ...]) -> str:
    if any(variation.step == "rendering" for variation in variations):
        return "rendering"
    if any(variation.step == "generating" or variation.state in _ENDED for variation in variations):
        return "generating"
    if any(variation.state == "leased" for variation in variations):
        return "analyzing_source"
    return "queued"
