"""What one process holds: leased variations, from their lease to their committed result."""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from consumers.generation.generators import STEPS, Step
from storage.material import Material
from storage.variations import Lease

SLOW_SECONDS: Final = 0.25
"""Work that takes longer shows its step to readers; faster work is not worth a write."""


@dataclass(slots=True, eq=False)
class Task:
    """A leased variation and what is known of its progress. `started_at` is monotonic seconds."""

    lease: Lease
    org_id: uuid.UUID
    container_id: uuid.UUID
    traceparent: str | None
    material: Material | None
    retries: int = 0
    """How often earlier attempts said "later"."""
    started_at: float | None = None
    step: Step | None = None
    shown_step: Step | None = None
    lost: bool = False
    """Another owner ended the lease: what this attempt makes will not be taken."""

    def start(self) -> None:
        """The worker begins."""
        self.started_at = time.monotonic()

    def report(self, step: Step) -> None:
        """The generator says what it is at. A plain assignment: another thread reads it."""
        if step not in STEPS:
            raise ValueError("a generator reports steps by their names")
        self.step = step


class Held:
    """The tasks of this process. Thread-safe."""

    def __init__(self) -> None:
        self._tasks: dict[Lease, Task] = {}
        self._lock = threading.Condition()
        self.writing: Final = threading.Lock()
        """Whoever writes to rows of these tasks has it for the transaction. Postgres locks the rows of one statement in
        an order of its own: renewals, steps and results that met in the same rows ended in deadlocks."""

    def __len__(self) -> int:
        return len(self._tasks)

    def add(self, tasks: Iterable[Task]) -> None:
        """Hold these from now on."""
        with self._lock:
            self._tasks.update((task.lease, task) for task in tasks)

    def drop(self, leases: Iterable[Lease]) -> list[Task]:
        """Their results are committed, or their leases are gone. Returns those that were held."""
        with self._lock:
            dropped = [task for lease in leases if (task := self._tasks.pop(lease, None)) is not None]
            self._lock.notify_all()
            return dropped

    def await_at_most(self, count: int, *, timeout_seconds: float) -> None:
        """Wait until no more than `count` are held, but no longer than that."""
        with self._lock:
            self._lock.wait_for(lambda: len(self._tasks) <= count, timeout_seconds)

    def of_organizations(self) -> Counter[uuid.UUID]:
        """How many each organisation has here."""
        with self._lock:
            return Counter(task.org_id for task in self._tasks.values())

    def snapshot(self) -> list[Task]:
        """The tasks held now."""
        with self._lock:
            return list(self._tasks.values())

    def slow(self) -> list[tuple[Task, Step]]:
        """Tasks whose step changed and that have run long enough to show it, with that step."""
        now = time.monotonic()
        return [
            (task, step)
            for task in self.snapshot()
            if (step := task.step) is not None
            and step != task.shown_step
            and task.started_at is not None
            and now - task.started_at > SLOW_SECONDS
        ]
