"""The sweeper: a loop in every generate process, one of which works at a time.

It makes every promise hold that a lost record or a vanished worker would break. After a start or a reconnect it waits
one lease before it judges leases: an outage must not look like the death of every worker. Running jobs are walked in
chunks, a chunk a sweep, so that a long backlog costs no more than a short one. A sweep looks for leases that ran out
since the last one, and every ten seconds at all: one that was locked at that moment was passed over, and a clock that
is set forward lets leases run out in the past.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import structlog

from consumers.generation.diagnose import Repairs, diagnose
from consumers.generation.threads import OnDeath, watched_thread
from consumers.generation.wakeups import wakeups
from runtime import metrics
from runtime.errors import Retryable
from runtime.failpoint import failpoint
from runtime.publishing import Publishing
from storage import sweeping, untold, variations
from storage.connection import Connection, Database
from storage.sweeping import WALK_START, Place, RunningJob
from storage.variations import Ended

_log = structlog.get_logger(__name__)

OVERDUE_SECONDS: Final = 5.0
"""A record that has had no effect for so long was lost, or its stage is behind; repairing is harmless in both cases."""
_JOBS: Final = "job"
"""The stage, in metrics, that is a whole job: its oldest record is the oldest job that runs and should have moved."""
_CHUNK_JOBS: Final = 2_000
_ALL_LEASES_SECONDS: Final = 10.0
"""Most sweeps look for leases that ran out since the last look; after so long, at whatever an earlier one missed."""
_MARGIN_SECONDS: Final = 1.0
"""Between our clock and the database's."""
_ANNOUNCE_AGAIN_SECONDS: Final = 30.0
"""A projector that is behind needs time, not more records."""


class Sweeper:
    """Repairs until stopped. Every repair is idempotent, so a sweep that dies half-way is simply done again."""

    def __init__(
        self,
        database: Database,
        publisher: Publishing,
        *,
        sweep_seconds: float,
        lease_seconds: float,
        topic_prefix: str,
        expect_pending: Callable[[], None],
        on_death: OnDeath,
        overdue_seconds: float = OVERDUE_SECONDS,
        all_leases_seconds: float = _ALL_LEASES_SECONDS,
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._sweep_seconds = sweep_seconds
        self._lease_seconds = lease_seconds
        self._topic_prefix = topic_prefix
        self._expect_pending = expect_pending
        self._overdue_seconds = overdue_seconds
        self._judge_leases_from = time.monotonic() + lease_seconds
        self._all_leases_seconds = all_leases_seconds
        self._all_leases_from = 0.0
        self._looked_at = 0.0
        self._walked = WALK_START
        self._announced_at: dict[uuid.UUID, float] = {}
        self._stopping = threading.Event()
        self._thread = watched_thread("sweeper", self._run, on_death)

    def start(self) -> None:
        """Start the loop in a thread of its own."""
        self._thread.start()

    def request_stop(self) -> None:
        """End the loop after the sweep in hand."""
        self._stopping.set()

    def join(self, timeout_seconds: float) -> None:
        """Wait for the loop's end. A sweep that is cut off by the process's end is rolled back."""
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)

    def sweep(self) -> None:
        """One sweep, if no other process is at it. Raises Retryable when Postgres or Kafka do not answer."""
        with self._database.transaction() as connection:
            if not sweeping.take_turn(connection):
                # Another process sweeps, and says how old the oldest job is.
                metrics.observe_oldest_record(_JOBS, None)
                return
            requeued, lost = 0, list[Ended]()
            now = time.monotonic()
            judges, looks_at_all = now >= self._judge_leases_from, now >= self._all_leases_from
            jobs = sweeping.running_jobs(
                connection, after=self._walked, older_than_seconds=self._overdue_seconds, most=_CHUNK_JOBS
            )
            repairs = diagnose(jobs)
            # First what waits for rows of others; what follows passes over them.
            added, late = self._repair(connection, repairs)
            if judges:
                back = {} if looks_at_all else {"back_seconds": now - self._looked_at + _MARGIN_SECONDS}
                requeued = sweeping.requeue_lost(connection, **back)
                lost = sweeping.fail_lost(connection, **back)
            silent = untold.overdue(connection, older_than_seconds=self._overdue_seconds, most=_CHUNK_JOBS)
            sweeping.purge_idempotency_keys(connection)
            failpoint("sweep.written")
        failpoint("sweep.committed")
        if judges:
            self._looked_at = now
            if requeued or lost:
                # There may be more than one sweep takes.
                self._all_leases_from = now
            elif looks_at_all:
                self._all_leases_from = now + self._all_leases_seconds
        if self._walked == WALK_START:
            metrics.observe_oldest_record(_JOBS, int(jobs[0].place.accepted_at.timestamp() * 1000) if jobs else None)
        self._walked = _next_place(jobs)
        if requeued or added:
            self._expect_pending()
        # After the commit: where this fails, a later sweep finds the jobs with nothing left to do, and announces them.
        unheard, silent = self._unheard(map(_look_again, repairs.announce)), self._unheard(silent)
        news = [*lost, *late, *map(_look_again, repairs.cancel), *unheard, *silent]
        self._publisher.publish(wakeups(news, self._topic_prefix))
        failpoint("sweep.published")
        self._announced_at.update(dict.fromkeys((job.job_id for job in (*unheard, *silent)), time.monotonic()))
        self._report(
            lease_lost=requeued,
            worker_lost=len(lost),
            admission_lost=added,
            deadline_exceeded=len(late),
            cancel_lost=len(repairs.cancel),
            result_lost=len(unheard),
            end_untold=len(silent),
        )

    def _unheard(self, jobs: Iterable[Ended]) -> list[Ended]:
        """Those that were not announced a moment ago."""
        since = time.monotonic() - _ANNOUNCE_AGAIN_SECONDS
        self._announced_at = {job_id: at for job_id, at in self._announced_at.items() if at > since}
        return [job for job in jobs if job.job_id not in self._announced_at]

    def _repair(self, connection: Connection, repairs: Repairs) -> tuple[int, list[Ended]]:
        if repairs.cancel:
            variations.cancel(connection, _ids(repairs.cancel))
        added = sweeping.add_missing(connection, _ids(repairs.add_missing)) if repairs.add_missing else 0
        late = sweeping.fail_late(connection, _ids(repairs.fail_late)) if repairs.fail_late else []
        return added, late

    def _report(self, **repaired: int) -> None:
        for kind, count in repaired.items():
            if count:
                metrics.OUTCOMES.labels("sweep", kind).inc(count)
        if any(repaired.values()):
            _log.warning("swept", **repaired)

    def _run(self) -> None:
        try:
            while not self._stopping.wait(self._sweep_seconds):
                try:
                    self.sweep()
                except Retryable as error:
                    _log.warning("sweep_stalled", reason=str(error))
                    self._judge_leases_from = time.monotonic() + self._lease_seconds
        finally:
            self._database.close()


def _next_place(jobs: Sequence[RunningJob]) -> Place:
    return jobs[-1].place if len(jobs) == _CHUNK_JOBS else WALK_START


def _ids(jobs: Sequence[RunningJob]) -> list[uuid.UUID]:
    return [job.place.job_id for job in jobs]


def _look_again(job: RunningJob) -> Ended:
    return Ended(job.place.job_id, job.container_id, job.traceparent, ())
