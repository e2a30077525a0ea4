"""Start processes of the stack and wait until they serve, while somebody may ask for the end at any moment."""

import threading
import time
from collections.abc import Callable
from typing import Final

from clonepost.localstack.child import Child
from runtime.errors import ClonepostError

_START_SECONDS: Final = 90.0
_FOREIGN_SECONDS: Final = 30.0
_CHECK_SECONDS: Final = 0.05
_DEATHS: Final = 3


class Stopped(ClonepostError):
    """Somebody asked for the end of the stack, or another part of it failed."""


class Launcher:
    """Starts children and waits for them. Thread-safe as long as each thread waits for its own child."""

    def __init__(self, children: list[Child], stopping: threading.Event, changed: Callable[[], None]) -> None:
        """Started children are added to `children`; `changed` is called after each."""
        self._children = children
        self._stopping = stopping
        self._changed = changed

    def launch(self, child: Child) -> None:
        """Start it. Raises Stopped when nothing is to be started any more."""
        if self._stopping.is_set():
            raise Stopped("stopped while starting")
        self._children.append(child)
        child.start()
        self._changed()

    def wait(self, ready: Callable[[], bool], what: str, child: Child | None = None) -> None:
        """Return once `ready`, restarting `child` until then; without a child it is something that others run.

        Raises ClonepostError with what to look at when it keeps dying or takes too long, and Stopped.
        """
        seconds = _START_SECONDS if child is not None else _FOREIGN_SECONDS
        until = time.monotonic() + seconds
        while not ready():
            if self._stopping.wait(_CHECK_SECONDS):
                raise Stopped("stopped while starting")
            if child is not None:
                child.check()
                if child.state.restarts >= _DEATHS:
                    raise ClonepostError(f"{what} keeps ending: {child.last_words()} (its log is {child.log})")
            if time.monotonic() > until:
                hint = f"its log is {child.log}" if child is not None else "is it up, and is the address right?"
                raise ClonepostError(f"{what} did not answer within {seconds:.0f} s; {hint}")
