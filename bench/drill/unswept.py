"""A while in which no sweeper has its turn: what it would repair or take away stays as it is."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from bench.drill.members import NotThere
from runtime.errors import DatabaseUnavailable
from storage import sweeping
from storage.connection import Database

_ASK_AGAIN_SECONDS: Final = 0.02


@contextmanager
def unswept(database_url: str, over: threading.Event) -> Iterator[None]:
    """Hold the sweeper's turn, once nobody else has it. Raises DatabaseUnavailable, and NotThere when `over` is set.

    A database that goes away later ends it before its time.
    """
    database = Database(database_url, application_name="drill-unswept")
    held = False
    try:
        with database.transaction() as connection:
            while not sweeping.take_turn(connection):
                if over.wait(_ASK_AGAIN_SECONDS):
                    raise NotThere("sweeper")
            held = True
            yield
    except DatabaseUnavailable:
        if not held:
            raise
    finally:
        database.close()
