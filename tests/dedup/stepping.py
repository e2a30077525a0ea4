"""A dedup process that stops at each step until a schedule lets it go on, or lets it die."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

from consumers.dedup.decide import Verdict, decide
from consumers.dedup.intake import Question
from storage.admission import AdmissionState, Writes
from storage.connection import Connection, Database
from tests.dedup.records import Read
from tests.dedup.stage import Outputs, Stage
from tests.dedup.world import World

BEGIN: Final = "begins its transaction"
DECIDE: Final = "has read, and decides"
COMMIT: Final = "has written, and commits"
PUBLISH: Final = "has committed, and publishes"
_LOOK_SECONDS: Final = 0.002
_PATIENCE_LOOKS: Final = 30_000

_here = threading.local()


class Died(Exception):
    """The process ended there."""


class _Stepping(Database):
    """Its transactions stop before they begin, before their commit and after it."""

    def __init__(self, database_url: str, name: str, arrive: Callable[[str], None]) -> None:
        super().__init__(database_url, application_name=name)
        self._arrive = arrive

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        self._arrive(BEGIN)
        with super().transaction() as connection:
            yield connection
            self._arrive(COMMIT)
        self._arrive(PUBLISH)


class Member:
    """One process, in a thread of its own. `at` is the step at which it stands; None while it is on its way or idle."""

    def __init__(self, database_url: str, number: int, world: World) -> None:
        self.name = f"member-{number}"
        self._world = world
        self._database = _Stepping(database_url, self.name, self.arrive)
        self._stage = Stage(self._database, world)
        self._pool = ThreadPoolExecutor(1)
        self._arrivals: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._orders: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._left: str | None = None
        self.at: str | None = None
        self.handling: Future[Outputs] | None = None

    def start(self, records: Sequence[Read]) -> None:
        """Begin to handle a batch, in a process that has just started."""
        self._left = None
        self.handling = self._pool.submit(self._handle, records)

    def go_on(self, *, die: bool) -> None:
        """Leave the step where it stands."""
        self._left, self.at = self.at, None
        self._orders.put(die)

    def settle(self) -> None:
        """Wait until it stands at a step, has ended, or waits for a lock that another member holds."""
        for _ in range(_PATIENCE_LOOKS):
            if self.at is not None or self.handling is None or self.handling.done():
                return
            try:
                self.at = self._arrivals.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                # A commit waits for no lock: it is on its way.
                if self._left != COMMIT and self._waits_for_a_lock():
                    return
        raise AssertionError(f"{self.name} comes nowhere from where it {self._left}")

    def close(self) -> None:
        """End the thread, wherever it stands, and the connection."""
        self._orders.put(True)
        self._pool.shutdown()
        self._database.close()

    def _handle(self, records: Sequence[Read]) -> Outputs:
        _here.member = self
        return self._stage.redeliver(*records)

    def arrive(self, step: str) -> None:
        """Stand at a step until told to go on. Raises Died when told to die."""
        self._arrivals.put(step)
        if self._orders.get():
            raise Died

    def _waits_for_a_lock(self) -> bool:
        return bool(
            self._world.rows(
                """SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s
                   AND wait_event_type = 'Lock'""",
                self.name,
            )
        )


def stepping(questions: Sequence[Question], state: AdmissionState) -> tuple[list[Verdict], Writes]:
    """`decide`, before which a member stops."""
    member: Member = _here.member
    member.arrive(DECIDE)
    return decide(questions, state)
