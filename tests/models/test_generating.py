"""No variation is lost or doubled and every job ends, in every reachable state; and each safeguard is needed.

Run with -rP to see the sizes and the traces.
"""

from dataclasses import dataclass

import pytest

from tests.models.exploring import Explored, explore
from tests.models.generating import Design, GenerationModel, World

ONE_SURPRISE = World(1)


def search(name: str, design: Design, world: World) -> Explored:
    explored = explore(GenerationModel(design, world))
    print(f"{name}: {explored.states} states, {explored.moves} moves")
    print(explored.broken or "Nothing breaks.")
    return explored


@pytest.mark.parametrize(
    ("world", "least_states"),
    [(World(), 50_000), (World(1, "kills"), 10_000), (World(1, "hangs"), 5_000)],
    ids=["any two surprises", "a variation that kills its workers", "a variation that hangs"],
)
def test_every_job_ends_once_with_every_variation(world: World, least_states: int) -> None:
    explored = search("generation", Design(), world)
    assert explored.broken is None
    # A model that has lost most of its behaviour would find nothing.
    assert explored.states > least_states


@pytest.mark.parametrize("design", [Design(ends_raise_attempt=False), Design(checks_state=False)], ids=str)
def test_the_state_and_the_raised_attempt_each_keep_a_late_result_out(design: Design) -> None:
    # A cancel, a deadline and a third loss need one of the two. Without both a late result overwrites an end.
    assert search("one guard", design, ONE_SURPRISE).broken is None


@dataclass(frozen=True)
class Wrong:
    """A design that must break, and how."""

    design: Design
    breaks: str
    because: str
    """An event that the shortest trace must show: it breaks for the reason we think."""
    world: World = ONE_SURPRISE


def without(repair: str) -> Design:
    return Design(without=frozenset({repair}))


STUCK = "It ends here, with promises open."
LOST_CANCEL = "broker: CloneCanceled is lost"
LOST_WAKEUP = "broker: every VariationsFinished is lost"
WRONG = {
    "a result is not held against its attempt": Wrong(
        Design(checks_attempt=False), "STALE", "the lease of 0 is not renewed"
    ),
    "a claim does not raise the attempt": Wrong(
        Design(claims_raise_attempt=False), "STALE", "the lease of 0 is not renewed"
    ),
    "an end raises no attempt and no result looks at the state": Wrong(
        Design(ends_raise_attempt=False, checks_state=False), "DOUBLED", "the deadline passes"
    ),
    "losses are not counted": Wrong(Design(counts_losses=False), "It goes in circles", "DIES of 0", World(0, "kills")),
    "the projector counts wake-ups": Wrong(Design(counts_wakeups=True), "LOST", "comes twice"),
    "settled before the end": Wrong(Design(settles="before"), "SETTLED TWICE", "project: KILLED"),
    "settled after the end": Wrong(Design(settles="after"), STUCK, "project: KILLED"),
    "nothing repeats an event": Wrong(Design(repeats="never"), STUCK, "project: KILLED"),
    "wake-ups repeat an event by their offsets": Wrong(
        Design(repeats="by offset"), STUCK, "project: FROZEN with its wake-ups", World(2, among=("project",))
    ),
    "ends that are untold are not announced": Wrong(
        without("tell"), STUCK, LOST_WAKEUP, World(2, among=("project: KILLED", LOST_WAKEUP))
    ),
    "no requeue_lost": Wrong(without("requeue_lost"), STUCK, "KILLED"),
    "no add_missing": Wrong(without("add_missing"), STUCK, "CloneAccepted is lost"),
    "no fail_late": Wrong(without("fail_late"), STUCK, "the deadline passes", World(0, "hangs")),
    "no announcement": Wrong(without("announce"), STUCK, "KILLED"),
    "no cancel of an overdue cancel": Wrong(
        without("cancel"), STUCK, LOST_CANCEL, World(2, among=("dedup: a cancel is accepted", LOST_CANCEL))
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_design_breaks(name: str) -> None:
    wrong = WRONG[name]
    broken = search(name, wrong.design, wrong.world).broken
    assert broken is not None
    assert broken.what.startswith(wrong.breaks)
    assert any(wrong.because in label for label in broken.trace), str(broken)
