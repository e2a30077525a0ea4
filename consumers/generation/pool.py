"""Holds the variations that one process has leased, runs them outside the poll loop and commits their results.

Threads: workers call the generator; the committer ends attempts; the renewer keeps leases alive; the claimer fills
free slots. An expired lease permits a takeover, it does not forbid the owner to finish: whoever writes first with the
current attempt wins.
"""

import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import structlog

from consumers.generation.committer import Committer
from consumers.generation.generators import Generator
from consumers.generation.keeper import Claimer, Renewer
from consumers.generation.tasks import Held, Task
from consumers.generation.threads import OnDeath, watched_thread
from consumers.generation.turns import from_reserve, last_served
from consumers.generation.workers import Outcomes, Workers
from runtime.errors import Retryable
from runtime.failpoint import failpoint
from runtime.publishing import Publishing
from storage import material, variations
from storage.connection import Connection, Database
from storage.variations import Lease

_log = structlog.get_logger(__name__)

_POLL_SECONDS: Final = 0.5
_ROOM_SECONDS: Final = 1.0
# A stop ends within nine seconds, whatever does not answer.
_FINISH_SECONDS: Final = 5.0
_COMMIT_SECONDS: Final = 1.0
_GIVE_BACK_SECONDS: Final = 2.0
_JOIN_SECONDS: Final = 0.5
_OWN_SHARE: Final = 0.25

Asked = Sequence[tuple[uuid.UUID, int]]
"""The organisation of each job, and how many variations it is to have."""


@dataclass(frozen=True, slots=True)
class Room:
    """What may be leased: the first `free` variations of all, and of each job the first `reserved` whatever is free."""

    free: int
    reserved: Sequence[int] = ()


class Pool:
    """The work of one process: `leasing` says how much more it may lease, `submit` hands it over.

    It leases `lease_ahead` variations and no more for whoever comes first, and as many again in reserve, for
    organisations that have less than a quarter of that here: a flood fills the one and never the other.
    """

    def __init__(
        self,
        generator: Generator,
        new_database: Callable[[], Database],
        publisher: Publishing,
        *,
        concurrency: int,
        lease_seconds: float,
        topic_prefix: str,
        on_death: OnDeath,
        renders: bool = False,
    ) -> None:
        """`renders`: variations that succeed are to be rendered, by whoever does that."""
        self.worker_id: Final = uuid.uuid4()
        self.lease_seconds: Final = lease_seconds
        self._generator = generator
        self._lease_ahead = generator.lease_ahead or concurrency
        self._new_database = new_database
        self._held = Held()
        self._leasing = threading.Lock()
        self._pending_expected = True
        self._stopping = False
        outcomes: Outcomes = queue.SimpleQueue()
        self._workers = Workers(generator, outcomes, concurrency=concurrency, on_death=on_death)
        self._claimer = Claimer(
            new_database(),
            publisher,
            self._held,
            claim=self._claim,
            poll_seconds=_POLL_SECONDS,
            topic_prefix=topic_prefix,
        )
        self._committer = Committer(
            new_database(),
            publisher,
            self._held,
            outcomes,
            topic_prefix=topic_prefix,
            slots_freed=self._slots_freed,
            renders=renders,
        )
        self._renewer = Renewer(new_database(), self._held, lease_seconds=lease_seconds, lost=self._lost)
        self._threads = {
            name: watched_thread(name, run, on_death)
            for name, run in (
                ("committer", self._committer.run),
                ("renewer", self._renewer.run),
                ("claimer", self._claimer.run),
            )
        }

    def start(self) -> None:
        """Start the threads."""
        self._workers.start()
        for thread in self._threads.values():
            thread.start()

    def await_room(self, asked: Asked) -> None:
        """Wait a moment for room for variations that are still records, where the pool will soon have it.

        Rows that are made pending and leased later are written once more: three times as much work for Postgres as
        making them leased. A generator that waits has room when its provider answers, and nobody knows when that is;
        where older rows are pending, new ones go behind them.
        """
        wanted = sum(number for _, number in asked)
        if (
            wanted <= self._lease_ahead
            and not (self._generator.waits or self._pending_expected or self._stopping)
            and sum(self._reserved(asked)) < wanted
        ):
            self._held.await_at_most(self._lease_ahead - wanted, timeout_seconds=_ROOM_SECONDS)

    @contextmanager
    def leasing(self, asked: Asked = ()) -> Iterator[Room]:
        """Lease variations that have no rows yet, as many as there is room for, and `submit` them inside.

        One thread at a time, so that two together do not lease twice the room. Nothing is free while older ones are
        pending: they come first. The reserve is for those whose own organisation has none pending, which is for the
        database to say.
        """
        with self._leasing:
            free = 0 if self._pending_expected else self._room()
            yield Room(free, self._reserved(asked) if sum(number for _, number in asked) > free else [0] * len(asked))

    def submit(self, tasks: Sequence[Task]) -> None:
        """Run these; their rows are leased by this pool's `worker_id`."""
        self._held.add(tasks)
        self._workers.submit(tasks)

    def expect_pending(self) -> None:
        """Pending rows were made: claim as soon as there is room, and before anything new."""
        self._pending_expected = True
        self._claimer.wake()

    @property
    def needs_material(self) -> bool:
        """Whether tasks must come from `load`."""
        return self._generator.needs_material

    def load(self, connection: Connection, leases: Sequence[Lease]) -> list[Task]:
        """Make tasks of leases, with their material where the generator needs it."""
        job_ids = list({lease.job_id for lease in leases})
        if self._generator.needs_material:
            found = material.material(connection, job_ids)
            jobs = [found[lease.job_id] for lease in leases]
            return [
                Task(lease, job.org_id, job.container_id, job.traceparent, job)
                for lease, job in zip(leases, jobs, strict=True)
            ]
        places = material.containers(connection, job_ids)
        return [Task(lease, *places[lease.job_id], None) for lease in leases]

    def stop(self) -> None:
        """Give back what has not begun, finish what runs (up to 5 s, renewed meanwhile), give back what did not end.

        What is given back is pending again at once and counts as no loss; its attempt numbers stay used. It ends within
        9 s, whatever does not answer; leases that Postgres does not take back run out.
        """
        finish_at = time.monotonic() + _FINISH_SECONDS
        self._stopping = True
        self._claimer.stop()
        self._workers.stop()
        # Whoever leases at this moment hands over what it got; from then on nobody leases anything.
        if self._leasing.acquire(timeout=_JOIN_SECONDS):
            self._leasing.release()
        self._threads["claimer"].join(_JOIN_SECONDS)
        self._give_back([task for task in self._held.snapshot() if task.started_at is None])
        self._workers.join(max(0.0, finish_at - time.monotonic()))
        self._committer.stop(within_seconds=_COMMIT_SECONDS)
        self._threads["committer"].join(_COMMIT_SECONDS + _JOIN_SECONDS)
        self._renewer.stop()
        self._give_back(self._held.snapshot())
        self._threads["renewer"].join(_JOIN_SECONDS)

    def _reserved(self, asked: Asked) -> list[int]:
        if self._generator.waits or self._stopping:
            # What is leased ahead would stand in line behind calls; what is pending is claimed when one has ended.
            return [0] * len(asked)
        share = int(self._lease_ahead * _OWN_SHARE)
        held = self._held.of_organizations()
        return from_reserve(asked, held, reserve=2 * self._lease_ahead - held.total(), share=share)

    def _room(self) -> int:
        return 0 if self._stopping else max(0, self._lease_ahead - len(self._held))

    def _claim(self, database: Database, after: uuid.UUID) -> uuid.UUID | None:
        with self._leasing:
            slots = self._room()
            if not slots:
                return None
            # Cleared first: rows that are made while this looks set it again.
            self._pending_expected = False
            try:
                with database.transaction() as connection:
                    claimed = variations.claim(
                        connection,
                        slots=slots,
                        worker_id=self.worker_id,
                        lease_seconds=self.lease_seconds,
                        after=after,
                    )
                    tasks = self.load(connection, [one.lease for one in claimed]) if claimed else []
                    if claimed:
                        failpoint("claim.written")
            except Retryable:
                self._pending_expected = True
                raise
            if not claimed:
                return None
            self._pending_expected = True
            failpoint("claim.committed")
            for task, one in zip(tasks, claimed, strict=True):
                task.retries = one.retries
            self.submit(tasks)
            return last_served(after, [one.org_id for one in claimed])

    def _slots_freed(self) -> None:
        # Where nothing is known to be pending, the claimer's own poll is enough; a claim for each commit is not cheap.
        if self._pending_expected:
            self._claimer.wake()

    def _lost(self, tasks: Sequence[Task]) -> None:
        self._workers.abandon(tasks)
        self._claimer.wake()

    def _give_back(self, tasks: Sequence[Task]) -> None:
        if tasks:
            leases = [task.lease for task in tasks]
            giving = threading.Thread(target=self._put_back, args=(leases,), name="giving-back", daemon=True)
            giving.start()
            giving.join(_GIVE_BACK_SECONDS)

    def _put_back(self, leases: Sequence[Lease]) -> None:
        database = self._new_database()
        try:
            with self._held.writing, database.transaction() as connection:
                variations.put_back(connection, [(lease, 0.0) for lease in leases], retry=False)
            self._held.drop(leases)
            _log.info("leases_given_back", count=len(leases))
        except Retryable as error:
            _log.warning("leases_left_to_expire", count=len(leases), reason=str(error))
        finally:
            database.close()
