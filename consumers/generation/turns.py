"""Whose turn it is next. Pure."""

import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
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


def in_turns(tasks: Sequence[Task]) -> list[Task]:
    """Each organisation's first task, then each one's second, and so on; the organisation of the first one begins.

    What comes behind a flood of another organisation's waits for one of its tasks, and not for all of them.
    """
    of_each: dict[uuid.UUID, list[Task]] = {}
    for task in tasks:
        of_each.setdefault(task.org_id, []).append(task)
    return [task for turn in zip_longest(*of_each.values()) for task in turn if task is not None]
