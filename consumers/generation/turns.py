"""Whose turn it is next. Pure."""

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest

from consumers.generation.tasks import Task


def last_served(after: uuid.UUID, served: Iterable[uuid.UUID]) -> uuid.UUID:
    """The organisation at which a round that began behind `after` ended, given the organisation of each variation.

    The last turn went to those that got the most; of these the one that comes last in the round.
    """
    counts = Counter(served)
    if not counts:
        return after
    most = max(counts.values())
    return max((org for org, count in counts.items() if count == most), key=lambda org: (org <= after, org))


def from_reserve(
    asked: Sequence[tuple[uuid.UUID, int]], held: Mapping[uuid.UUID, int], *, reserve: int, share: int
) -> list[int]:
    """How many variations of each job may be leased although there is no room, given its organisation and number.

    An organisation that holds less than its `share` may lease up to it, while the `reserve` lasts: the flood of another
    one, which holds all the room, is then no reason to wait for one of its results to be committed.
    """
    taken: Counter[uuid.UUID] = Counter()
    given = []
    for org, wanted in asked:
        one = max(0, min(wanted, share - held.get(org, 0) - taken[org], reserve))
        taken[org] += one
        reserve -= one
        given.append(one)
    return given


def in_turns(tasks: Sequence[Task]) -> list[Task]:
    """Each organisation's first task, then each one's second, and so on; the organisation of the first one begins.

    What comes behind a flood of another organisation's waits for one of its tasks, and not for all of them.
    """
    of_each: dict[uuid.UUID, list[Task]] = {}
    for task in tasks:
        of_each.setdefault(task.org_id, []).append(task)
    return [task for turn in zip_longest(*of_each.values()) for task in turn if task is not None]
