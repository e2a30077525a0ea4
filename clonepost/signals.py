"""Signals as calls in a thread, whatever the main thread is at."""

import os
import signal
import threading
from collections.abc import Callable, Iterable


def hear(numbers: Iterable[signal.Signals], heard: Callable[[], None]) -> None:
    """Call `heard` once for each of these signals, in a thread of its own. The main thread calls this.

    A handler in Python runs in the main thread, between two of its steps. It is late where that waits in a call of C,
    and where it waits for an event, and so holds the event's lock, a handler that sets the event waits for ever.
    """
    wanted = frozenset(numbers)
    here, there = os.pipe()
    os.set_blocking(there, False)

    def listen() -> None:
        while came := os.read(here, 64):
            for number in came:
                if number in wanted:
                    heard()

    threading.Thread(target=listen, name="signals", daemon=True).start()
    signal.set_wakeup_fd(there, warn_on_full_buffer=False)
    for number in wanted:
        signal.signal(number, _nothing)


def _nothing(_number: int, _frame: object) -> None:
    """A signal without a handler in Python is not written to the pipe."""
