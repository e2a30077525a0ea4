"""How large each process is, once a second."""

import threading
import time
from types import TracebackType
from typing import Final

import psutil

from bench.checker.history import Recorder, Sampled, now_seconds
from bench.drill.faults import PROCESSES
from bench.drill.stack import Stack

_SAMPLE_SECONDS: Final = 1.0
_WARM_SECONDS: Final = 60.0


class Sampler:
    """Writes a role process's memory and threads down while it lives, from a minute after it said that it is ready.

    One that still waits for a server has few threads yet, and may do so for minutes.
    """

    def __init__(self, stack: Stack, recorder: Recorder) -> None:
        self._stack = stack
        self._recorder = recorder
        self._ready: dict[str, tuple[int, float]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def __enter__(self) -> "Sampler":
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(_SAMPLE_SECONDS):
            for name in PROCESSES:
                pid = self._stack.members[name].child.state.pid
                if pid is not None:
                    self._sample(name, pid)

    def _sample(self, name: str, pid: int) -> None:
        if not self._is_warm(name, pid):
            return
        try:
            process = psutil.Process(pid)
            with process.oneshot():
                rss, threads = process.memory_info().rss, process.num_threads()
        except psutil.Error:
            return
        self._recorder.add(Sampled(process=f"{name} {pid}", at=now_seconds(), rss_bytes=rss, threads=threads))

    def _is_warm(self, name: str, pid: int) -> bool:
        known, since = self._ready.get(name, (None, 0.0))
        if known == pid:
            return time.monotonic() - since >= _WARM_SECONDS
        self._stack.notices.forget(known)
        if self._stack.notices.is_ready(pid):
            self._ready[name] = pid, time.monotonic()
        return False
