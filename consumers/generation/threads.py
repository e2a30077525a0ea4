"""Threads whose death does not go unnoticed: a process that lost one would hold its leases and do nothing."""

import threading
from collections.abc import Callable

OnDeath = Callable[[str], None]
"""Called with a thread's name when an unexpected error ended it; it should end the process."""


def watched_thread(name: str, run: Callable[[], None], on_death: OnDeath) -> threading.Thread:
    """A daemon thread that runs `run`. An exception reaches `threading.excepthook`, after `on_death`."""

    def guarded() -> None:
        try:
            run()
        except BaseException:
            on_death(name)
            raise

    return threading.Thread(target=guarded, name=name, daemon=True)
