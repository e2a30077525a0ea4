"""What one process holds: leased variations, from their lease to their committed result."""

import threading
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from consumers.generation.generators import Step
from storage.variations import Lease, Material

SLOW_SECONDS = 0.25
"""Work that takes longer shows its step to readers; faster work is not worth a write."""


@dataclass(slots=True)
class Task:
    """A leased variation and what is known of its progress. `started_at` is monotonic seconds."""

    lease: Lease
    container_id: uuid.UUID
    traceparent: str | None
    material: Material | None
    started_at: float | None = None
    step: Step | None = None
    shown_step: Step | None = None

    def start(self) -> None:
        """The worker begins."""
        self.started_at = time.monotonic()

    def report(self, step: Step) -> None:
        """The generator says what it is at. A plain assignment: the keeper's thread reads it."""
        self.step = step


@dataclass(slots=True)
class Held:
    """The tasks of this process. Thread-safe."""

    _tasks: dict[Lease, Task] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __len__(self) -> int:
        return len(self._tasks)

    def add(self, tasks: Iterable[Task]) -> None:
        """Hold these from now on."""
        with self._lock:
            self._tasks.update((task.lease, task) for task in tasks)

    def drop(self, leases: Iterable[Lease]) -> None:
        """Their results are committed, or their leases are lost."""
        with self._lock:
            for lease in leases:
                self._tasks.pop(lease, None)

    def snapshot(self) -> list[Task]:
        """The tasks held now."""
        with self._lock:
            return list(self._tasks.values())

    def slow(self) -> list[Task]:
        """Tasks whose step changed and that have run long enough to show it."""
        now = time.monotonic()
        return [
            task
            for task in self.snapshot()
            if task.step is not None
            and task.step != task.shown_step
            and task.started_at is not None
            and now - task.started_at > SLOW_SECONDS
        ]
