"""SIGINT and SIGTERM as a KeyboardInterrupt that comes through for certain."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from clonepost.signals import hear

_AGAIN_SECONDS: Final = 2.0


@contextmanager
def interruptible(asked: Callable[[], None], *, warnings: int = 0) -> Iterator[None]:
    """Within it both signals call `asked` and raise KeyboardInterrupt in the main thread; behind it they only call it.

    The first `warnings` of them only call it, too. `asked` is called in a thread of its own.

    An exception in a call-back of a weak reference, or in a `__del__`, is dropped by the interpreter: an event loop
    that frees tasks all the time was met there, and went on for ever. So it is raised again until this is left.
    """
    within, left, count = True, warnings, 0

    def interrupt(number: int, _frame: object) -> None:
        nonlocal left
        if within and (left == 0 or number == signal.SIGALRM):
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
            raise KeyboardInterrupt
        left = max(0, left - 1)

    def heard() -> None:
        nonlocal count
        count += 1
        asked()
        if within and count > warnings:
            # Where the main thread was in a call of C, two signals are one to its handler.
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)

    hear((signal.SIGINT, signal.SIGTERM), heard)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        within = False
        signal.setitimer(signal.ITIMER_REAL, 0)
