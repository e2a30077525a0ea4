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


@pytest.mark.slow
@pytest.mark.parametrize("at_pass", [1, 2, 3])
def test_every_role_dies_at_every_failpoint(pipeline: KilledPipeline, tmp_path: Path, at_pass: int) -> None:
    tenants = hire(pipeline, seed=at_pass)
    fleet = Fleet(pipeline, lanes(), at_pass=at_pass)
    fleet.start()
    with trial(pipeline, tenants, tmp_path, seed=at_pass):
        fleet.die_everywhere()
