"""Keeps what the process holds: leases alive, free slots filled, and the steps of slow work visible.

Two loops with a connection each, so that a broker that does not answer (steps are announced) delays no renewal.
"""

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from consumers.generation.tasks import Held, Task
from consumers.generation.wakeups import wakeups
from runtime.backoff import full_jitter
from runtime.errors import Retryable
from runtime.failpoint import failpoint
from runtime.publishing import Publishing
from storage import variations
from storage.connection import Database
from storage.variations import Ended

_log = structlog.get_logger(__name__)

TICK_SECONDS: Final = 0.25


class Renewer:
    """Renews every lease three times before it could run out, in one statement for all."""

    def __init__(
        self, database: Database, held: Held, *, lease_seconds: float, lost: Callable[[Sequence[Task]], None]
    ) -> None:
        self._database = database
        self._held = held
        self._lease_seconds = lease_seconds
        self._lost = lost
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End `run`."""
        self._stopping.set()

    def run(self) -> None:
        """Renew until `stop`. An outage is tried through: a lease that is not renewed only permits a takeover."""
        try:
            while True:
                wait_seconds = self._lease_seconds / 3
                for retry_seconds in full_jitter(first_seconds=0.05, cap_seconds=1.0):
                    if self._stopping.wait(wait_seconds):
                        return
                    try:
                        self.renew()
                    except Retryable as error:
                        _log.warning("renewal_stalled", reason=str(error))
                        wait_seconds = retry_seconds
                    else:
                        break
        finally:
            self._database.close()

    def renew(self) -> None:
        """Renew what is held now, and let go of what was ended by a cancel, a deadline or another attempt."""
        leases = [task.lease for task in self._held.snapshot()]
        if not leases:
            return
        with self._held.writing, self._database.transaction() as connection:
            kept = variations.renew(connection, leases, lease_seconds=self._lease_seconds)
            failpoint("renew.written")
        failpoint("renew.committed")
        # What was committed meanwhile is no longer held, and so is not lost.
        lost = self._held.drop(lease for lease in leases if lease not in kept)
        if lost:
            _log.info("leases_lost", count=len(lost))
            self._lost(lost)


class Claimer:
    """Fills free slots with pending variations: when slots become free, when rows were made, and now and then."""

    def __init__(
        self,
        database: Database,
        publisher: Publishing,
        held: Held,
        *,
        claim: Callable[[Database, uuid.UUID], uuid.UUID | None],
        poll_seconds: float,
        topic_prefix: str,
    ) -> None:
        """`claim` takes the last organisation served and returns the next last one, or None when nothing is pending."""
        self._database = database
        self._publisher = publisher
        self._held = held
        self._claim = claim
        self._poll_seconds = poll_seconds
        self._topic_prefix = topic_prefix
        # Processes begin their rounds at different organisations.
        self._served = uuid.uuid4()
        self._claimed_at = 0.0
        self._woken = threading.Event()
        self._stopping = threading.Event()

    def wake(self) -> None:
        """Slots are free, or rows were made."""
        self._woken.set()

    def stop(self) -> None:
        """End `run`."""
        self._stopping.set()
        self._woken.set()

    def run(self) -> None:
        """Claim and show steps until `stop`."""
        try:
            while not self._stopping.is_set():
                woken = self._woken.wait(TICK_SECONDS)
                self._woken.clear()
                self._turn(woken)
        finally:
            self._database.close()

    def _turn(self, woken: bool) -> None:
        try:
            if woken or time.monotonic() - self._claimed_at > self._poll_seconds:
                self._claimed_at = time.monotonic()
                self._fill()
            self.show_steps()
        except Retryable as error:
            _log.warning("claims_stalled", reason=str(error))
            self._stopping.wait(self._poll_seconds)

    def _fill(self) -> None:
        while not self._stopping.is_set() and (served := self._claim(self._database, self._served)) is not None:
            self._served = served

    def show_steps(self) -> None:
        """Write the steps of slow work, and have their jobs looked at."""
        steps = self._held.slow()
        if not steps:
            return
        with self._held.writing, self._database.transaction() as connection:
            variations.mark_steps(connection, [(task.lease, step) for task, step in steps])
        failpoint("steps.committed")
        jobs = {task.lease.job_id: task for task, _ in steps}
        news = [Ended(job_id, task.container_id, task.traceparent, ()) for job_id, task in jobs.items()]
        self._publisher.publish(wakeups(news, self._topic_prefix))
        for task, step in steps:
            task.shown_step = step
