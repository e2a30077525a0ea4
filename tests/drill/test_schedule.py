"""Which fault happens when is a function of the seed, and every kind comes."""

from collections import Counter

import pytest

from bench.drill.faults import KINDS, PLACES, PROCESSES, ZOMBIE_PLACES
from bench.drill.schedule import schedule
from clonepost.roles import BY_NAME
from runtime import failpoint

HOUR = 3_600.0


def test_the_same_seed_gives_the_same_faults_and_another_one_does_not() -> None:
    assert schedule(7, HOUR, KINDS) == schedule(7, HOUR, sorted(KINDS, reverse=True))
    assert schedule(8, HOUR, KINDS).faults != schedule(7, HOUR, KINDS).faults


def test_every_kind_comes_in_an_hour_to_each_of_its_targets() -> None:
    found = Counter((fault.kind, fault.target) for fault in schedule(1, HOUR, KINDS).faults)
    assert set(found) == {(name, target) for name, kind in KINDS.items() for target in kind.targets}


def test_faults_keep_to_their_phases_and_phases_fill_the_time() -> None:
    drawn = schedule(3, HOUR, KINDS)
    assert [phase.start_seconds for phase in drawn.phases] == [0.0, *(p.end_seconds for p in drawn.phases[:-1])]
    assert drawn.phases[-1].end_seconds == HOUR
    for fault in drawn.faults:
        (phase,) = [p for p in drawn.phases if p.start_seconds <= fault.at_seconds < p.end_seconds]
        assert fault.kind in phase.kinds


def test_some_phases_are_empty_and_some_have_nearly_every_kind() -> None:
    sizes = [len(phase.kinds) for phase in schedule(3, HOUR, KINDS).phases]
    assert min(sizes) == 0
    assert max(sizes) > len(KINDS) / 2


def test_only_what_was_chosen_happens() -> None:
    assert {fault.kind for fault in schedule(2, HOUR, ["kill", "reset"]).faults} == {"kill", "reset"}
    assert schedule(2, HOUR, []).faults == ()


def test_every_failpoint_is_drawn_for_a_process_that_passes_it() -> None:
    assert {place for places in PLACES.values() for place in places} == set(failpoint.NAMES)
    # The role render passes no failpoint, and a drill's jobs are not rendered: it has no say in how a job ends.
    assert set(PROCESSES.values()) == set(PLACES) == set(BY_NAME) - {"render"}
    for role, places in ZOMBIE_PLACES.items():
        assert set(places) <= set(PLACES[role])
    armed = schedule(5, 10 * HOUR, ["failpoint", "failpoint-freeze", "zombie"]).faults
    drawn = {(PROCESSES[fault.target], fault.detail.partition("=")[0]) for fault in armed}
    assert drawn == {(role, place) for role, places in PLACES.items() for place in places}
    for fault in armed:
        failpoint.triggers(fault.detail)


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_says_what_it_does(name: str) -> None:
    kind = KINDS[name]
    assert kind.what
    assert kind.least_seconds <= kind.most_seconds
