"""Whatever wake-ups come, and however often: a job only rises, ends once, and ends as its variations say."""

import uuid
from itertools import pairwise
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from consumers.projector.transitions import STAGES, transition
from storage.projection import ClaimFacts, Facts, JobChange, JobRow, VariationFacts

_JOB: Final = uuid.UUID(int=7)
_ENDS: Final = ("succeeded", "failed", "canceled")
_NEXT: Final[dict[str, tuple[str, ...]]] = {
    "none": ("pending", "leased"),
    "pending": ("leased", "failed", "canceled"),
    "leased": ("pending", "leased", *_ENDS),
}
Rows = tuple[VariationFacts, ...]


def variation(index: int, state: str, step: str | None) -> VariationFacts:
    code, message = ("PROVIDER_ERROR", f"{index} failed.") if state == "failed" else (None, None)
    return VariationFacts(index, state, 1, step, None, None, None, code, message, None)


@st.composite
def lives(draw: st.DrawFn) -> list[Rows]:
    """The rows of a job at each moment of its life, every change a legal one, until all have ended."""
    states = ["none"] * draw(st.integers(1, 4))
    steps: list[str | None] = [None] * len(states)
    moments: list[Rows] = [()]
    patience = 12
    while unended := [index for index, state in enumerate(states) if state not in _ENDS]:
        index = draw(st.sampled_from(unended))
        # Then it ends: a life is finite.
        patience -= 1
        ways = _NEXT[states[index]] if patience > 0 else _ENDS
        states[index] = draw(st.sampled_from(ways))
        working = states[index] == "leased"
        steps[index] = draw(st.sampled_from([None, "generating", "rendering"])) if working else None
        rows = [variation(i, s, step) for i, (s, step) in enumerate(zip(states, steps, strict=True)) if s != "none"]
        moments.append(tuple(rows))
    return moments


def facts(job: JobRow, rows: Rows, variations: int) -> Facts:
    claim: Any = dict.fromkeys(ClaimFacts._fields)
    return Facts(job, ClaimFacts(**{**claim, "job_id": _JOB, "variations": variations, "variation_price": 120}), rows)


def live(moments: list[Rows], woken_at: list[int]) -> tuple[list[JobRow], JobChange | None]:
    """Every state of the job's row, and the change that ended it."""
    variations = len(moments[-1])
    job = JobRow(_JOB, "running", "queued", 0.0, 1, None)
    seen, end = [job], None
    for moment in woken_at:
        change = transition(facts(job, moments[moment], variations), now_ms=moment)
        if change is None:
            continue
        assert end is None, "a job that has ended changed"
        job = job._replace(status=change.status, stage=change.stage, progress=change.progress, version=change.version)
        job = job._replace(finished_at_ms=change.finished_at_ms)
        seen.append(job)
        end = change if change.status != "running" else None
    return seen, end


def without_its_moment(change: JobChange) -> JobChange:
    return change._replace(version=0, at_ms=0, finished_at_ms=0)


@st.composite
def wakings(draw: st.DrawFn) -> tuple[list[Rows], list[int]]:
    """A life, and the moments at which wake-ups of it are read: some late, some twice, and one after the end."""
    moments = draw(lives())
    last = len(moments) - 1
    return moments, [*sorted(draw(st.lists(st.integers(0, last), max_size=12))), last, last]


@given(waking=wakings())
def test_any_wakeups_end_a_job_as_one_does(waking: tuple[list[Rows], list[int]]) -> None:
    moments, woken_at = waking
    (*_, alone), end_alone = live(moments, [len(moments) - 1])
    (*_, job), end = live(moments, woken_at)
    assert end is not None
    assert end_alone is not None
    assert without_its_moment(end) == without_its_moment(end_alone)
    assert (job.status, job.stage, job.progress) == (alone.status, alone.stage, alone.progress)


@given(waking=wakings())
def test_stage_progress_and_version_only_rise(waking: tuple[list[Rows], list[int]]) -> None:
    seen, _ = live(*waking)
    for before, after in pairwise(seen):
        assert STAGES.index(after.stage) >= STAGES.index(before.stage)
        assert after.progress >= before.progress
        assert after.version == before.version + 1
        assert (after.stage, after.progress, after.status) != (before.stage, before.progress, before.status)


@given(moments=lives())
def test_a_job_ends_as_its_variations_say(moments: list[Rows]) -> None:
    _, end = live(moments, [len(moments) - 1])
    assert end is not None
    states = [row.state for row in moments[-1]]
    expected = "canceled" if "canceled" in states else "completed" if "succeeded" in states else "failed"
    assert end.status == expected
    assert end.credits_charged == 120 * states.count("succeeded")
    assert (end.succeeded, end.failed, end.canceled) == tuple(states.count(state) for state in _ENDS)
    assert (end.error_code is not None) == (expected == "failed")
    assert (end.stage, end.progress) == ("finalizing", 1.0)
