"""Wait for a condition. The bound only ends a test that would hang; no test asserts how long anything takes."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def eventually(look: Callable[[], Value | None], *, what: str, bound_seconds: float = 60.0) -> Value:
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
