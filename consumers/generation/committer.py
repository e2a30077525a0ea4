"""Writes what attempts came to, in batches, and announces what was taken."""

import queue
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import structlog

from consumers.generation.results import Outcome, PutBack
from consumers.generation.tasks import Held, Task
from consumers.generation.wakeups import wakeups
from consumers.generation.workers import Outcomes
from runtime import metrics
from runtime.backoff import full_jitter
from runtime.errors import Retryable
from runtime.failpoint import failpoint
from runtime.publishing import Publishing
from storage import variations
from storage.connection import Connection, Database
from storage.renders import expect
from storage.variations import Ended, Failure, Lease, Success

_log = structlog.get_logger(__name__)

_BATCH: Final = 2_000


class Committer:
    """The one thread that ends attempts. An outage stalls it: results stay in memory until they are committed."""

    def __init__(
        self,
        database: Database,
        publisher: Publishing,
        held: Held,
        outcomes: Outcomes,
        *,
        topic_prefix: str,
        slots_freed: Callable[[], None],
        renders: bool,
    ) -> None:
        """`renders`: what succeeds is to be rendered, too."""
        self._database = database
        self._publisher = publisher
        self._held = held
        self._outcomes = outcomes
        self._topic_prefix = topic_prefix
        self._slots_freed = slots_freed
        self._renders = renders
        self._give_up_at: float | None = None

    def stop(self, within_seconds: float) -> None:
        """End `run` after what is queued; an outage that lasts longer than that ends it too."""
        self._give_up_at = time.monotonic() + within_seconds
        self._outcomes.put(None)

    def run(self) -> None:
        """Commit until `stop`."""
        last = False
        try:
            while not last:
                batch, last = self._next_batch()
                if batch:
                    self._settle(batch)
        finally:
            self._database.close()

    def _next_batch(self) -> tuple[list[Outcome], bool]:
        batch: list[Outcome] = []
        some = self._outcomes.get()
        while some is not None:
            batch += some
            if len(batch) >= _BATCH:
                return batch, False
            try:
                some = self._outcomes.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _settle(self, outcomes: Sequence[Outcome]) -> None:
        written: _Written | None = None
        tries = 0

        def commit() -> None:
            nonlocal written, tries
            tries += 1
            with self._held.writing, self._database.transaction() as connection:
                done = _write(connection, outcomes, renders=self._renders)
                failpoint("results.written")
            failpoint("results.committed")
            written = done

        self._insist(commit)
        if written is None:
            # Given up: the leases run out, and the sweeper hands the work to another process.
            return
        tasks = [outcome.task for outcome in outcomes]
        self._held.drop(task.lease for task in tasks)
        taken = written.taken
        news = _by_job(tasks if len(taken) == len(tasks) else [task for task in tasks if task.lease in taken])
        if tries > 1:
            # An earlier try may have committed and lost its answer, and this one took nothing: have the jobs looked at.
            told = {job.job_id for job in news}
            news += [_look_again(job) for job in _by_job(tasks) if job.job_id not in told]
        records = wakeups(news, self._topic_prefix)
        self._insist(lambda: self._publisher.publish(records))
        failpoint("results.published")
        self._slots_freed()
        _report(written.counts)

    def _insist(self, effect: Callable[[], None]) -> None:
        """Do it until it is done, or until a stop has waited long enough."""
        for wait_seconds in full_jitter(first_seconds=0.05, cap_seconds=2.0):
            try:
                return effect()
            except Retryable as error:
                _log.warning("results_stalled", reason=str(error))
            if self._give_up_at is not None and time.monotonic() > self._give_up_at:
                return None
            time.sleep(wait_seconds)
        return None


class _Written(NamedTuple):
    """`taken` are the leases whose end was taken; others were ended before, by somebody else."""

    taken: set[Lease]
    counts: dict[str, int]
    """How many outcomes came to what."""


def _write(connection: Connection, outcomes: Sequence[Outcome], *, renders: bool) -> _Written:
    """Write all outcomes."""
    successes = [o.result for o in outcomes if isinstance(o.result, Success)]
    failures = [o.result for o in outcomes if isinstance(o.result, Failure)]
    retries = [(o.task.lease, o.result.wait_seconds) for o in outcomes if isinstance(o.result, PutBack)]
    if len(successes) < len(outcomes):
        # Several statements, each in an order of its own.
        variations.lock(connection, [outcome.task.lease for outcome in outcomes])
    succeeded = variations.succeed(connection, successes) if successes else set()
    if renders and successes:
        expect(connection, succeeded)
    failed = variations.fail(connection, failures) if failures else set()
    if retries:
        variations.put_back(connection, retries, retry=True)
    counts = {
        "succeeded": len(succeeded),
        "failed": len(failed),
        "retried": len(retries),
        "lost_lease": len(successes) + len(failures) - len(succeeded) - len(failed),
    }
    return _Written(succeeded | failed if failed else succeeded, counts)


def _by_job(tasks: Sequence[Task]) -> list[Ended]:
    jobs: dict[uuid.UUID, list[Task]] = {}
    for task in tasks:
        jobs.setdefault(task.lease.job_id, []).append(task)
    return [
        Ended(job_id, found[0].container_id, found[0].traceparent, tuple(sorted([task.lease.index for task in found])))
        for job_id, found in jobs.items()
    ]


def _look_again(job: Ended) -> Ended:
    return Ended(job.job_id, job.container_id, job.traceparent, ())


def _report(counts: dict[str, int]) -> None:
    for name, count in counts.items():
        if count:
            metrics.OUTCOMES.labels("generate", name).inc(count)
    _log.info("variations_ended", **counts)
