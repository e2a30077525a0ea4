"""SIGINT and SIGTERM as a KeyboardInterrupt that comes through for certain."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

_AGAIN_SECONDS: Final = 2.0


@contextmanager
def interruptible(asked: Callable[[], None]) -> Iterator[None]:
    """Within it both signals call `asked` and raise KeyboardInterrupt in the main thread; behind it they only call it.

    An exception in a call-back of a weak reference, or in a `__del__`, is dropped by the interpreter: an event loop
    that frees tasks all the time was met there, and went on for ever. So it is raised again until this is left.
    """
    within = True

    def interrupt(number: int, _frame: object) -> None:
        if number != signal.SIGALRM:
            asked()
        if within:
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
            raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        within = False
        signal.setitimer(signal.ITIMER_REAL, 0)
