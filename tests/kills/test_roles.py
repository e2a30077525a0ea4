"""SIGKILL of every role at every failpoint, in the middle of jobs of every kind; then the checker."""

from pathlib import Path

import pytest

from bench.drill.faults import PLACES
from runtime import failpoint
from tests.kills.fleet import Fleet, lanes
from tests.kills.forked import KilledPipeline
from tests.kills.trial import hire, trial


def test_every_failpoint_is_passed_by_a_role_that_is_killed() -> None:
    assert {name for places in PLACES.values() for name in places} == set(failpoint.NAMES)


@pytest.mark.parametrize(
    "passes",
    [
        # One run of all three: what a run costs beside its deaths would come three times.
        pytest.param((1, 2, 3), marks=pytest.mark.slow, id="every pass"),
        pytest.param((1,), marks=pytest.mark.slow_planted, id="first pass"),
    ],
)
def test_every_role_dies_at_every_failpoint(pipeline: KilledPipeline, tmp_path: Path, passes: tuple[int, ...]) -> None:
    tenants = hire(pipeline, seed=len(passes))
    fleet = Fleet(pipeline, lanes(passes))
    fleet.start()
    with trial(pipeline, tenants, tmp_path, seed=len(passes)):
        fleet.die_everywhere()
