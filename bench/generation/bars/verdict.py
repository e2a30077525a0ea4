"""What a bar says."""

from collections.abc import Callable

from bench.generation.trial import Trial
from consumers.generation.generators import Made

Holds = Callable[[Trial, Made], bool | None]
"""Whether a variation holds a bar; None where the bar asks nothing of it."""
Tally = tuple[int, int]
"""Held, judged."""
