"""The identity of a record of clone.requests: with its topic's id, what "decided once" is keyed by."""

from typing import NamedTuple


class Place(NamedTuple):
    """Where a record stands in clone.requests; with the topic's id, the identity of a record."""

    partition: int
    offset: int
