"""The threads that call the generator. Nothing here touches the database or the broker."""

import queue
import threading
import time
from collections.abc import Sequence
from typing import Final

import structlog

from consumers.generation.generators import Generator
from consumers.generation.results import Outcome, attempt
from consumers.generation.tasks import Task
from consumers.generation.threads import OnDeath, watched_thread
from consumers.generation.turns import Turns
from runtime.failpoint import failpoint

_log = structlog.get_logger(__name__)

Outcomes = queue.SimpleQueue[Sequence[Outcome] | None]
"""What workers hand to the committer, some at a time; None ends it."""

_HAND_OVER_SECONDS: Final = 0.02
_MAX_ABANDONED_PER_WORKER: Final = 4


class TooManyHang(Exception):
    """Calls of the generator that never return have used up the threads that a process may spend on them."""


class Workers:
    """A crew of threads, constant in number: one whose task has lost its lease is replaced and leaves when it can."""

    def __init__(self, generator: Generator, outcomes: Outcomes, *, concurrency: int, on_death: OnDeath) -> None:
        self._generator = generator
        self._outcomes = outcomes
        # A generator that does not wait would only fight for the interpreter lock with more than one thread.
        self._concurrency = concurrency if generator.waits else 1
        self._on_death = on_death
        self._inbox: queue.SimpleQueue[Sequence[Task] | None] = queue.SimpleQueue()
        self._turns = Turns()
        """Of a generator that does not wait; its one thread alone touches it."""
        self._stopping = False
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._running: dict[Task, threading.Thread] = {}
        self._abandoned: set[threading.Thread] = set()

    def start(self) -> None:
        """Start the threads."""
        with self._lock:
            for _ in range(self._concurrency):
                self._add_thread()

    def submit(self, tasks: Sequence[Task]) -> None:
        """Run these as threads become free; one organisation's in this order, and organisations by `Turns`."""
        if self._generator.waits:
            for task in tasks:
                self._inbox.put([task])
        elif tasks:
            self._inbox.put(tasks)

    def abandon(self, tasks: Sequence[Task]) -> None:
        """Their results will not be taken. Those that wait are skipped; one that runs, perhaps for ever, is left alone.

        Raises TooManyHang when so many run on that only a new process helps.
        """
        with self._lock:
            for task in tasks:
                task.lost = True
                thread = self._running.pop(task, None)
                if thread is not None and not self._stopping:
                    self._abandoned.add(thread)
                    self._threads.discard(thread)
                    self._add_thread()
            if len(self._abandoned) > self._concurrency * _MAX_ABANDONED_PER_WORKER:
                raise TooManyHang(f"{len(self._abandoned)} calls of {self._generator.name} do not return")

    def stop(self) -> None:
        """Begin no further task."""
        with self._lock:
            self._stopping = True
        for _ in range(self._concurrency):
            self._inbox.put(None)

    def join(self, timeout_seconds: float) -> None:
        """After `stop`: wait for the tasks that run, so long."""
        until = time.monotonic() + timeout_seconds
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _add_thread(self) -> None:
        thread = watched_thread(f"worker-{len(self._threads)}", self._work, self._on_death)
        self._threads.add(thread)
        thread.start()

    def _work(self) -> None:
        turns = Turns() if self._generator.waits else self._turns
        done: list[Outcome] = []
        handed_over_at = 0.0
        while True:
            if not turns:
                if done:
                    self._outcomes.put(done)
                    done = []
                if (tasks := self._inbox.get()) is None:
                    return
                # Not since before the wait: the first result would go alone, in a transaction of its own.
                handed_over_at = time.monotonic()
                turns.add(tasks)
            if not self._generator.waits:
                turns.add(self._came())
            task = turns.next()
            if not self._begin(task):
                continue
            failpoint("work.begun")
            began = time.thread_time()
            outcome = attempt(self._generator, task)
            failpoint("work.made")
            if self._end(task):
                # Whoever replaced this thread has gone on with those that wait.
                self._outcomes.put(done)
                return
            turns.charge(task.org_id, time.thread_time() - began)
            done.append(outcome)
            if time.monotonic() - handed_over_at > _HAND_OVER_SECONDS:
                self._outcomes.put(done)
                done, handed_over_at = [], time.monotonic()

    def _came(self) -> list[Task]:
        """What was submitted meanwhile, by the only thread that takes from the inbox."""
        came: list[Task] = []
        while not self._inbox.empty():
            tasks = self._inbox.get()
            if tasks is None:
                # The end, which `_work` is to see.
                self._inbox.put(None)
                break
            came += tasks
        return came

    def _begin(self, task: Task) -> bool:
        with self._lock:
            if self._stopping or task.lost:
                return False
            self._running[task] = threading.current_thread()
            return True

    def _end(self, task: Task) -> bool:
        """The task has returned. Whether it was abandoned, and its thread with it."""
        this = threading.current_thread()
        with self._lock:
            self._running.pop(task, None)
            if this not in self._abandoned:
                return False
            self._abandoned.discard(this)
            return True
