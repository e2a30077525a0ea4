"""The identity of a record of clone.requests: with its topic's id, what "decided once" is keyed by."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands in clone.requests; with the topic's id, the identity of a record."""

    partition: int
    offset: int
