"""Wait for a condition. The bound only ends a test that would hang; no test asserts how long anything takes."""

import os
import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

Value = TypeVar("Value")

BOUND_SECONDS: Final = float(os.environ.get("TESTS_BOUND_SECONDS", "240"))
"""Far above what anything takes: at a load of fifty, a second's work has taken more than a minute."""


def eventually(look: Callable[[], Value | None], *, what: str, bound_seconds: float = BOUND_SECONDS) -> Value:
    """The first truthy value that `look` gives. Fails with `what` when none comes."""
    until = time.monotonic() + bound_seconds
    pause = threading.Event()
    while True:
        value = look()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"did not happen: {what}")
        pause.wait(0.02)
