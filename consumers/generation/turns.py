"""Whose turn it is next. Pure."""

import uuid
from collections import Counter
from collections.abc import Iterable


def last_served(after: uuid.UUID, served: Iterable[uuid.UUID]) -> uuid.UUID:
    """The organisation at which a round that began behind `after` ended, given the organisation of each variation.

    The last turn went to those that got the most; of these the one that comes last in the round.
    """
    counts = Counter(served)
    if not counts:
        return after
    most = max(counts.values())
    return max((org for org, count in counts.items() if count == most), key=lambda org: (org <= after, org))
