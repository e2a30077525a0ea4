"""The relay holds in every reachable state of its model, and the search finds what is wrong with the designs it is not.

Run with -rP to see the sizes and the traces.
"""

from dataclasses import dataclass

import pytest

from consumers.relay.protocol import Step, Trust
from tests.models.exploring import Explored, explore
from tests.models.relaying import Design, RelayModel, World

# Bounds that catch a model that has lost most of its behaviour: a search of nothing finds nothing.
LEAST_STATES = 20_000
OLD_BROKER = World(2, checks_partitions=False, retries_fast=False)


def search(name: str, design: Design, world: World) -> Explored:
    explored = explore(RelayModel(design, world))
    print(f"{name}: {explored.states} states, {explored.moves} moves")
    print(explored.broken or "Nothing breaks.")
    return explored


@pytest.mark.parametrize("world", [World(), OLD_BROKER], ids=["broker checks partitions", "broker checks nothing"])
def test_each_event_is_in_the_log_once_and_marked(world: World) -> None:
    explored = search("the relay", Design(), world)
    assert explored.broken is None
    assert explored.states > LEAST_STATES


def test_on_a_broker_that_checks_nothing_a_fast_retry_can_only_stall_it() -> None:
    # Brokers before 3.6 keep a record that belongs to no transaction open for ever. It hides the end of the log, so the
    # relay publishes nothing more until someone ends it (kafka-transactions abort); it doubles and loses nothing.
    explored = search("the relay, a commit retried within a second", Design(), World(2, checks_partitions=False))
    assert explored.broken is not None
    assert explored.broken.what.startswith("It goes in circles")
    assert "hides the end of the log" in "\n".join(explored.broken.trace)


@dataclass(frozen=True)
class Wrong:
    """A design that must break, and how."""

    design: Design
    world: World
    breaks: str
    because: str
    """An event that the shortest trace must show: it breaks for the reason we think."""


def plainly(_trust: Trust) -> tuple[Step, ...]:
    return Step.LEAD, Step.SELECT, Step.PUBLISH, Step.MARK, Step.COMMIT


def without_read_back(trust: Trust) -> tuple[Step, ...]:
    if trust is Trust.UNFENCED:
        return Step.LEAD, Step.FENCE, Step.SCAN, Step.MARK, Step.COMMIT
    return Step.LEAD, Step.SELECT, Step.PUBLISH, Step.MARK, Step.COMMIT


def without_scan(trust: Trust) -> tuple[Step, ...]:
    if trust is Trust.UNFENCED:
        return Step.LEAD, Step.FENCE, Step.COMMIT
    return Step.LEAD, Step.SELECT, Step.PUBLISH, Step.READ_BACK, Step.MARK, Step.COMMIT


def by_offsets(trust: Trust) -> tuple[Step, ...]:
    if trust is Trust.UNFENCED:
        return Step.LEAD, Step.FENCE, Step.COMMIT
    return Step.LEAD, Step.SELECT, Step.PUBLISH, Step.COMMIT


def always(_commit_seconds: float) -> Trust:
    return Trust.FENCED


GROUP_OFFSETS = Design(steps=by_offsets, trust_after_publish=always, offsets_in_transaction=True)
WRONG = {
    "a plain outbox": Wrong(Design(steps=plainly, transactional=False), World(faults=1), "DOUBLED", "KILLED"),
    "progress in group offsets, a commit that comes twice": Wrong(
        GROUP_OFFSETS, World(faults=1), "DOUBLED", "EndTxn to commit (a late copy)"
    ),
    "progress in group offsets, an abort that comes twice": Wrong(
        GROUP_OFFSETS, World(faults=2), "LOST", "EndTxn to abort (a late copy)"
    ),
    "only ids above the last one": Wrong(
        Design(above_last_id=True), World(faults=0, late=(0,)), "It ends here", "rows [0] are committed"
    ),
    "a transactional id for each process": Wrong(
        Design(one_transactional_id=False), World(faults=1), "DOUBLED", "Postgres drops its connection"
    ),
    "fencing without reading the log": Wrong(Design(steps=without_scan), World(faults=1), "DOUBLED", "relay 0: fence"),
    "marking on the client's word": Wrong(
        Design(steps=without_read_back), World(faults=1, checks_partitions=False), "LOST", "(a late copy)"
    ),
    "trust after a slow commit": Wrong(
        Design(trust_after_publish=always),
        World(faults=1, checks_partitions=False, retries_fast=False),
        "It goes in circles",
        "acknowledged, slow",
    ),
    "going on where the log now starts": Wrong(
        Design(halts_on_deleted=False), World(faults=1), "DOUBLED", "retention deletes"
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_design_breaks(name: str) -> None:
    wrong = WRONG[name]
    broken = search(name, wrong.design, wrong.world).broken
    assert broken is not None
    assert broken.what.startswith(wrong.breaks)
    assert any(wrong.because in label for label in broken.trace), str(broken)
