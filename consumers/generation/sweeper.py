"""The sweeper: a loop in every generate process, one of which works at a time.

It makes every promise hold that a lost record or a vanished worker would break. After a start or a reconnect it waits
one lease before it judges leases: an outage must not look like the death of every worker.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

from consumers.generation.wakeups import wakeups
from runtime import metrics
from runtime.errors import Retryable
from runtime.publishing import Publishing
from storage import sweeping
from storage.connection import Database
from storage.variations import Ended

_log = structlog.get_logger(__name__)

_OVERDUE_SECONDS: Final = 5.0
"""A record that has had no effect for so long was lost, or its stage is behind; repairing is harmless in both cases."""


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
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._sweep_seconds = sweep_seconds
        self._lease_seconds = lease_seconds
        self._topic_prefix = topic_prefix
        self._expect_pending = expect_pending
        self._judge_leases_from = time.monotonic() + lease_seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)

    def start(self) -> None:
        """Start the loop in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End the loop after the sweep in hand."""
        self._stopping.set()
        self._thread.join(self._sweep_seconds + 5)

    def sweep(self) -> None:
        """One sweep, if no other process is at it. Raises Retryable when Postgres or Kafka do not answer."""
        with self._database.transaction() as connection:
            if not sweeping.take_turn(connection):
                return
            lost = sweeping.requeue_lost(connection) if time.monotonic() >= self._judge_leases_from else 0
            added = sweeping.add_missing(connection, older_than_seconds=_OVERDUE_SECONDS)
            hopeless = sweeping.fail_hopeless(connection)
            canceled = sweeping.cancel_forgotten(connection, older_than_seconds=_OVERDUE_SECONDS)
            unprojected = sweeping.unprojected(connection, older_than_seconds=_OVERDUE_SECONDS)
        # After the commit: if this fails, the jobs concerned are found unprojected by a later sweep.
        ended: list[Ended] = [*hopeless, *canceled, *unprojected]
        self._publisher.publish(wakeups(ended, self._topic_prefix))
        if lost or added:
            self._expect_pending()
        repairs = {
            "lease_lost": lost,
            "admission_lost": added,
            "hopeless": len(hopeless),
            "cancel_lost": len(canceled),
            "result_lost": len(unprojected),
        }
        for kind, count in repairs.items():
            if count:
                metrics.OUTCOMES.labels("sweep", kind).inc(count)
        if any(repairs.values()):
            _log.warning("swept", **repairs)

    def _run(self) -> None:
        while not self._stopping.wait(self._sweep_seconds):
            try:
                self.sweep()
            except Retryable as error:
                _log.warning("sweep_stalled", reason=str(error))
                self._judge_leases_from = time.monotonic() + self._lease_seconds
