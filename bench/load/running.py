"""Runs a plan: a few threads of HTTP partners and one internal system, side by side, in the plan's order."""

import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from bench.checker.history import Recorder
from bench.checker.system import System
from bench.load.http import GaveUp, Partner
from bench.load.plan import Cancel, Clone, Operation, Poison
from bench.load.records import InternalSystem
from bench.load.tenants import Tenant


class Load:
    """Clients of one system. Outages, kills and lost answers stall it; `stop` ends it."""

    def __init__(
        self,
        system: System,
        urls: Sequence[str],
        tenants: Sequence[Tenant],
        recorder: Recorder,
        *,
        partners: int = 16,
        look_every: int = 5,
        overflow: bool = False,
    ) -> None:
        """`partners` requests are under way at once; after every `look_every`-th POST its job is read too.

        With `overflow` a request that finds all partners waiting goes straight to Kafka, as from an internal system
        that does not wait for them: an API that is down holds nothing else up.
        """
        self.stopping = threading.Event()
        self._partners = partners
        self._look_every = look_every
        self._overflow = overflow
        self._partner = Partner(urls, tenants, recorder, self.stopping)
        self._internal = InternalSystem(system, recorder, self.stopping)

    def __enter__(self) -> "Load":
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.stop()
        self._partner.close()
        self._internal.close()

    def stop(self) -> None:
        """End `run` and `follow` soon: what has no answer yet stays without one."""
        self.stopping.set()

    def run(self, operations: Iterable[Operation]) -> None:
        """Returns when each operation has its answer or its delivery report, or after `stop`."""
        with ThreadPoolExecutor(self._partners) as pool:
            under_way = threading.Semaphore(2 * self._partners)
            failed: list[BaseException] = []

            def answered(future: Future[None]) -> None:
                under_way.release()
                if (error := future.exception()) is not None:
                    failed.append(error)

            for number, operation in enumerate(operations):
                if self.stopping.is_set():
                    break
                # Bounded, so that the two ways keep step and a duplicate meets its original half-way.
                if (
                    isinstance(operation, Poison)
                    or operation.via == "kafka"
                    or not under_way.acquire(blocking=not self._overflow)
                ):
                    self._internal.send(operation)
                    continue
                look = number % self._look_every == 0
                pool.submit(self._ask, operation, look).add_done_callback(answered)
            self._internal.flush()
        # After the last answer: leaving the pool has waited for it.
        if failed:
            raise failed[0]

    def follow(self, operations: Iterable[Operation], *, whole_every: int = 1) -> None:
        """Read each job that was asked for until it has ended; keeps every `whole_every`-th envelope whole."""
        jobs = list(dict.fromkeys((o.org, o.job) for o in operations if isinstance(o, Clone)))
        with ThreadPoolExecutor(self._partners) as pool:
            list(pool.map(lambda one: self._follow(one[1], keep_body=one[0] % whole_every == 0), enumerate(jobs)))
            list(pool.map(self._partner.credits, {org for org, _ in jobs}))

    def _ask(self, operation: Clone | Cancel, look: bool) -> None:
        try:
            if isinstance(operation, Cancel):
                self._partner.cancel(operation)
            elif self._partner.clone(operation) == 202 and look:
                self._partner.read(operation.org, operation.job)
        except GaveUp:
            return

    def _follow(self, job: tuple[str, str], *, keep_body: bool) -> None:
        try:
            self._partner.follow(*job, keep_body=keep_body)
        except GaveUp:
            return
