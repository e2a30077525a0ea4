"""One loop: lease a render when a process is free, keep the lease alive while it runs, write what it came to.

Rendering is late work on finished variations. Nothing waits for it: whatever happens here, jobs and texts stay as they
are. A render that hangs, dies or eats its memory is tried again, and fails with the third loss.
"""

import threading
import time
import uuid
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, Final

import structlog
from pebble import ProcessExpired

from consumers.rendering.workers import Workers
from runtime import metrics
from runtime.errors import Retryable
from storage import renders
from storage.asset_store import AssetStore, attempt_prefix
from storage.connection import Database
from storage.renders import RenderOrder
from storage.variations import Lease

_log = structlog.get_logger(__name__)

STAGE: Final = "render"
_TICK_SECONDS: Final = 0.1
_POLL_SECONDS: Final = 0.5
_RETRY_SECONDS: Final = 2.0


class Renderer:
    """Renders until stopped."""

    def __init__(
        self,
        database: Database,
        store: AssetStore,
        workers: Workers,
        *,
        processes: int,
        lease_seconds: float,
        sweep_seconds: float,
    ) -> None:
        self._database = database
        self._store = store
        self._workers = workers
        self._processes = processes
        self._lease_seconds = lease_seconds
        self._sweep_seconds = sweep_seconds
        self._running: dict[Future[Any], RenderOrder] = {}
        # Processes begin their rounds at different organisations.
        self._served = uuid.uuid4()
        self._looked_at = self._swept_at = 0.0
        self._renewed_at = time.monotonic()
        # After a start an outage must not look like the death of every renderer.
        self._judge_leases_from = time.monotonic() + lease_seconds
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End `run`; what has begun is given back and counts as no loss."""
        self._stopping.set()

    def run(self) -> None:
        """Render until `stop`. An outage of Postgres stalls it."""
        try:
            while not self._stopping.is_set():
                try:
                    self._turn()
                except Retryable as error:
                    _log.warning("render_stalled", reason=str(error))
                    self._judge_leases_from = time.monotonic() + self._lease_seconds
                    self._stopping.wait(_POLL_SECONDS)
        finally:
            self._workers.stop()
            self._give_back()
            self._database.close()

    def _turn(self) -> None:
        now = time.monotonic()
        if len(self._running) < self._processes and now - self._looked_at > _POLL_SECONDS:
            self._fill(now)
        if self._running:
            done, _ = wait(self._running, timeout=_TICK_SECONDS, return_when=FIRST_COMPLETED)
            for future in done:
                self._settle(future)
        else:
            self._stopping.wait(_TICK_SECONDS)
        if now - self._renewed_at > self._lease_seconds / 3:
            self._renewed_at = now
            self._renew()
        if now - self._swept_at > self._sweep_seconds:
            self._swept_at = now
            self._sweep(judge_leases=now > self._judge_leases_from)

    def _fill(self, now: float) -> None:
        while len(self._running) < self._processes and not self._stopping.is_set():
            with self._database.transaction() as connection:
                order = renders.claim(connection, after=self._served, lease_seconds=self._lease_seconds)
            if order is None:
                self._looked_at = now
                return
            self._served = order.org_id
            self._running[self._workers.submit(order)] = order

    def _settle(self, future: Future[Any]) -> None:
        """Write what became of a render. Where Postgres does not answer, it is written with a later turn."""
        order = self._running[future]
        lease = order.lease
        with self._database.transaction() as connection:
            outcome = _outcome(future, lease)
            if isinstance(outcome, list):
                taken, told = renders.finish(connection, lease, outcome), "ready"
            else:
                code, message, lost = outcome
                if lost:
                    renders.lose(connection, lease, code, message, wait_seconds=_RETRY_SECONDS)
                    taken, told = False, "lost"
                else:
                    taken, told = renders.fail(connection, lease, code, message), "failed"
        del self._running[future]
        self._looked_at = 0.0
        if taken and told == "ready":
            # What attempts that were killed have left behind; one that still runs drops its own.
            for earlier in range(1, lease.attempt):
                self._store.discard(attempt_prefix(lease._replace(attempt=earlier)))
        else:
            self._store.discard(attempt_prefix(lease))
        metrics.OUTCOMES.labels(STAGE, told).inc()
        _log.info("render_ended", job_id=str(lease.job_id), index=lease.index, attempt=lease.attempt, outcome=told)

    def _renew(self) -> None:
        held = [order.lease for order in self._running.values()]
        if not held:
            return
        with self._database.transaction() as connection:
            kept = renders.renew(connection, held, lease_seconds=self._lease_seconds)
        if len(kept) < len(held):
            # What they make will not be taken; they run out by themselves.
            _log.info("render_leases_lost", count=len(held) - len(kept))

    def _sweep(self, *, judge_leases: bool) -> None:
        with self._database.transaction() as connection:
            count = renders.requeue_lost(connection) if judge_leases else 0
            oldest_ms = renders.oldest_unfinished_ms(connection)
        # Of all processes' renders: each of them says how late rendering is, and goes on ageing through an outage.
        metrics.observe_oldest_record(STAGE, oldest_ms)
        if count:
            metrics.OUTCOMES.labels(STAGE, "lease_lost").inc(count)
            _log.warning("renders_requeued", count=count)

    def _give_back(self) -> None:
        leases = [order.lease for order in self._running.values()]
        if not leases:
            return
        for lease in leases:
            self._store.discard(attempt_prefix(lease))
        try:
            with self._database.transaction() as connection:
                renders.put_back(connection, leases)
        except Retryable as error:
            _log.warning("render_leases_left_to_expire", count=len(leases), reason=str(error))


def _outcome(future: Future[Any], lease: Lease) -> list[dict[str, Any]] | tuple[str, str, bool]:
    """The assets; or an error's code and message, and whether the renderer was lost, so that another may try."""
    try:
        made: list[dict[str, Any]] = future.result()
    except TimeoutError:
        return "RENDER_TIMEOUT", "Rendering took too long.", True
    except MemoryError:
        return "RENDER_MEMORY", "Rendering took too much memory.", True
    except ProcessExpired:
        return "RENDERER_LOST", "The renderer died.", True
    except Exception:  # noqa: BLE001 -- the boundary of another process: logged in full, and an outcome like any other
        _log.exception("render_defect", job_id=str(lease.job_id), index=lease.index)
        return "INTERNAL", "Rendering failed unexpectedly.", False
    return made
