"""How long to wait before trying again."""

import random
from collections.abc import Iterator


def full_jitter(*, first_seconds: float, cap_seconds: float) -> Iterator[float]:
    """Yield waits for ever: uniform in (0, first * 2^n], capped. Full jitter keeps a crowd from returning in step."""
    ceiling = first_seconds
    while True:
        yield random.uniform(ceiling / 10, ceiling)  # noqa: S311 -- spreads load, guards nothing
        ceiling = min(ceiling * 2, cap_seconds)
