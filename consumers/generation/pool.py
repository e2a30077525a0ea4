"""Runs leased variations outside the poll loop and commits their results in batches.

Threads: workers call the generator; one committer writes results, publishes the wake-ups and frees the slots; one
keeper renews leases, shows the steps of slow work and claims pending variations. An expired lease permits a takeover,
it does not forbid the owner to finish: whoever writes first with the current attempt wins.
"""

import queue
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from consumers.generation.generators import Generator
from consumers.generation.results import Outcome, PutBack, attempt
from consumers.generation.tasks import Held, Task
from consumers.generation.wakeups import wakeups
from runtime import metrics
from runtime.backoff import full_jitter
from runtime.errors import Retryable
from runtime.publishing import Publishing
from storage import variations
from storage.connection import Connection, Database
from storage.variations import Ended, Failure, Lease, Success

_log = structlog.get_logger(__name__)

_COMMIT_BATCH: Final = 2_000
_TICK_SECONDS: Final = 0.25
_CLAIM_SECONDS: Final = 0.5
_FINISH_SECONDS: Final = 8.0


class Pool:
    """Holds and runs the variations that one process has leased."""

    def __init__(
        self,
        generator: Generator,
        new_database: Callable[[], Database],
        publisher: Publishing,
        *,
        concurrency: int,
        lease_seconds: float,
        topic_prefix: str,
    ) -> None:
        self.worker_id = uuid.uuid4()
        self.lease_seconds = lease_seconds
        self._generator = generator
        self._publisher = publisher
        self._topic_prefix = topic_prefix
        self._new_database = new_database
        self._held = Held()
        self._inbox: queue.SimpleQueue[Sequence[Task] | None] = queue.SimpleQueue()
        self._outcomes: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._workers = [
            threading.Thread(target=self._work, name=f"worker-{number}", daemon=True)
            for number in range(concurrency if generator.waits else 1)
        ]
        self._committer = threading.Thread(target=self._commit_outcomes, name="committer", daemon=True)
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)

    def start(self) -> None:
        """Start the threads."""
        for thread in (*self._workers, self._committer, self._keeper):
            thread.start()

    def room(self) -> int:
        """How many more variations may be leased now."""
        return 0 if self._stopping.is_set() else max(0, self._generator.lease_ahead - len(self._held))

    def submit(self, tasks: Sequence[Task]) -> None:
        """Run these; their rows are leased by this pool's `worker_id`."""
        self._held.add(tasks)
        if self._generator.waits:
            for task in tasks:
                self._inbox.put([task])
        elif tasks:
            self._inbox.put(tasks)

    def expect_pending(self) -> None:
        """Pending rows were made: claim as soon as there is room."""
        self._wake.set()

    def load(self, connection: Connection, leases: Sequence[Lease]) -> list[Task]:
        """Make tasks of leases, with their material where the generator needs it."""
        job_ids = list({lease.job_id for lease in leases})
        if self._generator.needs_material:
            material = variations.material(connection, job_ids)
            return [
                Task(lease, found.container_id, found.traceparent, found)
                for lease in leases
                if (found := material.get(lease.job_id))
            ]
        places = variations.containers(connection, job_ids)
        return [Task(lease, *places[lease.job_id], None) for lease in leases]

    @property
    def needs_material(self) -> bool:
        """Whether tasks must come from `load`."""
        return self._generator.needs_material

    def stop(self) -> None:
        """Finish what runs (up to 8 s), put everything else back as pending, uncounted."""
        self._stopping.set()
        for _ in self._workers:
            self._inbox.put(None)
        until = time.monotonic() + _FINISH_SECONDS
        for worker in self._workers:
            worker.join(max(0.0, until - time.monotonic()))
        self._outcomes.put(None)
        self._committer.join(_FINISH_SECONDS)
        self._wake.set()
        self._keeper.join(_FINISH_SECONDS)
        self._put_back([(task.lease, 0.0) for task in self._held.snapshot()])

    def _work(self) -> None:
        while (tasks := self._inbox.get()) is not None:
            for task in tasks:
                if self._stopping.is_set():
                    return
                self._outcomes.put(attempt(self._generator, task))

    def _commit_outcomes(self) -> None:
        database = self._new_database()
        last = False
        while not last:
            first = self._outcomes.get()
            if first is None:
                return
            outcomes = [first]
            while len(outcomes) < _COMMIT_BATCH:
                try:
                    following = self._outcomes.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    last = True
                    break
                outcomes.append(following)
            self._settle(database, outcomes)
        database.close()

    def _settle(self, database: Database, outcomes: Sequence[Outcome]) -> None:
        tasks = {outcome.task.lease: outcome.task for outcome in outcomes}
        successes = [o.result for o in outcomes if isinstance(o.result, Success)]
        failures = [o.result for o in outcomes if isinstance(o.result, Failure)]
        retries = [(o.task.lease, o.result.wait_seconds) for o in outcomes if isinstance(o.result, PutBack)]
        taken: set[Lease] = set()

        def commit() -> None:
            with database.transaction() as connection:
                written = set()
                if successes:
                    written |= variations.succeed(connection, successes)
                if failures:
                    written |= variations.fail(connection, failures)
                if retries:
                    variations.put_back(connection, retries)
            # Only what this transaction wrote is announced. If an earlier try had written it and its answer was lost,
            # nothing is: the sweeper announces jobs whose variations have all ended.
            taken.update(written)

        self._insist(commit)
        records = wakeups(_by_job([tasks[lease] for lease in taken]), self._topic_prefix)
        self._insist(lambda: self._publisher.publish(records))
        self._held.drop(tasks)
        self._wake.set()
        for name, count in (
            ("succeeded", len(successes)),
            ("failed", len(failures)),
            ("retried", len(retries)),
            ("lost_lease", len(successes) + len(failures) - len(taken)),
        ):
            if count:
                metrics.OUTCOMES.labels("generate", name).inc(count)
        _log.info("variations_ended", taken=len(taken), failed=len(failures), retried=len(retries))

    def _keep(self) -> None:
        database = self._new_database()
        renewed_at = claimed_at = time.monotonic()
        while not self._stopping.is_set():
            self._wake.wait(_TICK_SECONDS)
            woken = self._wake.is_set()
            self._wake.clear()
            now = time.monotonic()
            try:
                if now - renewed_at > self.lease_seconds / 3:
                    self._renew(database)
                    renewed_at = now
                self._show_steps(database)
                if woken or now - claimed_at > _CLAIM_SECONDS:
                    self._claim(database)
                    claimed_at = now
            except Retryable as error:
                # The next tick tries again: a lease that is not renewed in time only permits a takeover.
                _log.warning("keeper_stalled", reason=str(error))
                self._stopping.wait(_CLAIM_SECONDS)
        database.close()

    def _renew(self, database: Database) -> None:
        leases = [task.lease for task in self._held.snapshot()]
        if leases:
            with database.transaction() as connection:
                kept = variations.renew(connection, leases, lease_seconds=self.lease_seconds)
            lost = len(leases) - len(kept)
            if lost:
                # Ended by a cancel, a deadline or another attempt; the result of the work will match nothing.
                _log.info("leases_lost", count=lost)

    def _show_steps(self, database: Database) -> None:
        slow = self._held.slow()
        steps = [(task, task.step) for task in slow if task.step is not None]
        if not steps:
            return
        with database.transaction() as connection:
            variations.mark_steps(connection, [(task.lease, step) for task, step in steps])
        jobs = {task.lease.job_id: task for task, _ in steps}
        ended = [Ended(job_id, task.container_id, task.traceparent, ()) for job_id, task in jobs.items()]
        self._publisher.publish(wakeups(ended, self._topic_prefix))
        for task, step in steps:
            task.shown_step = step

    def _claim(self, database: Database) -> None:
        slots = self.room()
        if not slots:
            return
        with database.transaction() as connection:
            leases = variations.claim(
                connection, slots=slots, worker_id=self.worker_id, lease_seconds=self.lease_seconds
            )
            tasks = self.load(connection, leases) if leases else []
        self.submit(tasks)

    def _put_back(self, leases: Sequence[tuple[Lease, float]]) -> None:
        if not leases:
            return
        database = self._new_database()
        try:
            with database.transaction() as connection:
                variations.put_back(connection, leases)
        except Retryable as error:
            _log.warning("leases_left_to_expire", count=len(leases), reason=str(error))
        database.close()

    def _insist(self, effect: Callable[[], None]) -> None:
        """Do it until it is done. While stopping, an outage ends the wait: the lease expires, the sweeper repairs."""
        for wait_seconds in full_jitter(first_seconds=0.05, cap_seconds=2.0):
            try:
                return effect()
            except Retryable as error:
                _log.warning("results_stalled", reason=str(error))
            if self._stopping.is_set():
                return None
            time.sleep(wait_seconds)
        return None


def _by_job(tasks: Sequence[Task]) -> list[Ended]:
    jobs: dict[uuid.UUID, list[Task]] = {}
    for task in tasks:
        jobs.setdefault(task.lease.job_id, []).append(task)
    return [
        Ended(job_id, found[0].container_id, found[0].traceparent, tuple(sorted(task.lease.index for task in found)))
        for job_id, found in jobs.items()
    ]
