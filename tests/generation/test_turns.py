"""Whose variation is made next, counted and not timed."""

import uuid
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from consumers.generation.tasks import Task
from consumers.generation.turns import Turns
from storage.variations import Lease

FLOOD, SMALL, OTHER = (uuid.UUID(int=number) for number in (1, 2, 3))
COSTS = {FLOOD: 0.125, SMALL: 0.0625, OTHER: 0.25}


def tasks(org: uuid.UUID, number: int) -> list[Task]:
    return [Task(Lease(uuid.UUID(int=99), place, 1), org, org, None, None) for place in range(number)]


def serve(turns: Turns, number: int, costs: dict[uuid.UUID, float] = COSTS) -> list[uuid.UUID]:
    served = []
    for _ in range(number):
        task = turns.next()
        turns.charge(task.org_id, costs[task.org_id])
        served.append(task.org_id)
    return served


def test_a_small_job_passes_a_flood_again_and_again() -> None:
    turns = Turns()
    turns.add(tasks(FLOOD, 1_000))
    for _ in range(20):
        serve(turns, 10)
        turns.add(tasks(SMALL, 3))
        assert serve(turns, 4) == [SMALL] * 3 + [FLOOD]


def test_two_floods_get_the_same_work_done_and_not_the_same_number() -> None:
    turns = Turns()
    turns.add(tasks(FLOOD, 1_000))
    serve(turns, 100)
    turns.add(tasks(OTHER, 1_000))
    # The newcomer's credit is a second: four of its own, and one more for what the flood was served last.
    assert serve(turns, 5) == [OTHER] * 5
    assert Counter(serve(turns, 300)) == {FLOOD: 200, OTHER: 100}


def test_nobody_saves_up_more_than_the_credit_by_having_nothing_to_do() -> None:
    turns = Turns()
    turns.add(tasks(SMALL, 1))
    turns.add(tasks(FLOOD, 10_000))
    serve(turns, 5_001)
    turns.add(tasks(SMALL, 1_000))
    # A second and the flood's last one at 1/16 s each; the tie goes to who came first.
    assert serve(turns, 19) == [SMALL] * 18 + [FLOOD]


def test_those_that_are_forgotten_come_back_as_if_they_were_new() -> None:
    turns = Turns()
    turns.add(tasks(FLOOD, 10_000))
    serve(turns, 20)
    for number in range(1_000):
        org = uuid.UUID(int=100 + number)
        turns.add(tasks(org, 1))
        assert serve(turns, 2, {org: 0.01, FLOOD: 0.125}) == [org, FLOOD]
    assert len(turns._done_seconds) < 100


@given(st.lists(st.lists(st.sampled_from([FLOOD, SMALL, OTHER]), max_size=12), max_size=8), st.integers(0, 12))
def test_each_ones_order_is_kept_and_everything_comes(arrivals: list[list[uuid.UUID]], between: int) -> None:
    turns = Turns()
    came: Counter[uuid.UUID] = Counter()
    taken: dict[uuid.UUID, list[int]] = {}
    for arrival in [*arrivals, []]:
        for org in arrival:
            turns.add([Task(Lease(uuid.UUID(int=99), came[org], 1), org, org, None, None)])
            came[org] += 1
        left = between if arrival else 10_000
        while turns and left:
            task = turns.next()
            turns.charge(task.org_id, COSTS[task.org_id])
            taken.setdefault(task.org_id, []).append(task.lease.index)
            left -= 1
    assert taken == {org: list(range(number)) for org, number in came.items()}
