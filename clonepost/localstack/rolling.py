"""A rolling restart: one process at a time, and the next one only when it is ready again."""

import time
from collections.abc import Sequence
from typing import Final

from clonepost.localstack.child import Child
from clonepost.localstack.notices import Notices

_STOP_SECONDS: Final = 12.0
_READY_SECONDS: Final = 120.0


class RollingRestart:
    """Restarts children in their order, a step at each call. What dies by itself meanwhile is its supervisor's care."""

    def __init__(self, children: Sequence[Child], notices: Notices, *, ready_seconds: float = _READY_SECONDS) -> None:
        self._left = list(children)
        self._notices = notices
        self._ready_seconds = ready_seconds
        self._current: Child | None = None
        self._stopping = False
        self._since = 0.0
        self.failure: str | None = None
        """Why it ended before its time; what was not restarted yet runs on as it was."""

    @property
    def over(self) -> bool:
        """Whether there is nothing more to do."""
        return self.failure is not None or (self._current is None and not self._left)

    def stops(self, child: Child) -> bool:
        """Whether that child ends because it was asked to."""
        return self._stopping and child is self._current

    def step(self) -> str | None:
        """Do what can be done now, and wait for nothing. Returns what changed, in words."""
        if self.over:
            return None
        if self._current is None:
            return self._stop(self._left.pop(0))
        if self._stopping:
            return self._start(self._current)
        return self._look(self._current)

    def _stop(self, child: Child) -> str:
        self._current, self._stopping, self._since = child, True, time.monotonic()
        self._notices.forget(child.state.pid)
        child.ask_to_stop()
        return f"{child.state.role} stops (pid {child.state.pid})"

    def _start(self, child: Child) -> str | None:
        if child.exit_code is None and time.monotonic() - self._since < _STOP_SECONDS:
            return None
        child.await_stop(0)
        code = child.exit_code
        child.start()
        self._stopping, self._since = False, time.monotonic()
        how = "" if code == 0 else f", after it had ended with {code}; see {child.log}"
        return f"{child.state.role} started again (pid {child.state.pid}){how}"

    def _look(self, child: Child) -> str | None:
        if self._notices.is_ready(child.state.pid):
            self._current = None
            return f"{child.state.role} is ready (pid {child.state.pid})"
        if time.monotonic() - self._since > self._ready_seconds:
            self.failure = (
                f"{child.state.role} was not ready within {self._ready_seconds:.0f} s: {child.last_words()} "
                f"(its log is {child.log}); what comes after it was not restarted"
            )
        return self.failure
