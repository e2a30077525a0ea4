"""Seeded orders, the same on any machine. Pure."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

_T = TypeVar("_T")


def seeded(*parts: object) -> int:
    """A number of 64 bits that these parts decide."""
    text = "/".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


@lru_cache(maxsize=4096)
def permutation(size: int, seed: str) -> tuple[int, ...]:
    """A seeded order of 0..size-1."""
    return tuple(sorted(range(size), key=lambda item: seeded(seed, item)))


def turn(items: Sequence[_T], walk: int, seed: str) -> _T:
    """The item whose turn it is. Each has one turn in len(items) steps of the walk."""
    return items[permutation(len(items), seed)[walk % len(items)]]
