"""One process of a drill: its child, and what was done to it that must be undone."""

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import psutil

from clonepost.localstack.child import Child

_STOP_SECONDS: Final = 12.0
_ARM: Final = "CLONEPOST_FAILPOINTS"


class NotThere(RuntimeError):
    """The fault met nobody: the process was dead, or not to be touched."""


@dataclass(slots=True)
class Member:
    """A child that may be frozen, armed, or away. Not thread-safe."""

    name: str
    child: Child
    _next_life: str = ""
    _freeze_seconds: float = 0.0
    _on_freeze: Callable[[], None] | None = None
    _thaw_at: float | None = None
    _away_until: float | None = None
    _asked_at: float | None = None
    _frozen: list[psutil.Process] = field(default_factory=list)
    _was_alive: bool = True
    ends: int = 0
    """How often it has ended."""

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to it alone. Raises NotThere."""
        self._process().send_signal(number)

    def kill_and_arm(self, failpoint: str, freeze_seconds: float, on_freeze: Callable[[], None] | None = None) -> None:
        """Kill it; its next life meets that failpoint. Raises NotThere.

        Where it freezes itself there, `on_freeze` is called, and it goes on after `freeze_seconds`.
        """
        self.kill()
        self._next_life, self._freeze_seconds, self._on_freeze = failpoint, freeze_seconds, on_freeze

    @property
    def is_armed(self) -> bool:
        """Whether it is still to freeze itself, and to have somebody told."""
        return self._on_freeze is not None

    def freeze(self, seconds: float) -> None:
        """SIGSTOP for it and all that it started, for so long. Raises NotThere."""
        process = self._process()
        self._frozen = [process, *process.children(recursive=True)]
        for one in self._frozen:
            with suppress(psutil.Error):
                one.suspend()
        self._thaw_at = time.monotonic() + seconds

    def thaw(self) -> None:
        """SIGCONT."""
        for one in self._frozen:
            with suppress(psutil.Error):
                one.resume()
        self._frozen, self._thaw_at = [], None

    def send_away(self, seconds: float) -> None:
        """Ask it to stop; it comes back after so long. Raises NotThere."""
        self._process()
        if self._away_until is not None or self._frozen:
            raise NotThere(self.name)
        self.child.ask_to_stop()
        self._asked_at = time.monotonic()
        self._away_until = self._asked_at + seconds

    def heal(self) -> None:
        """Go on; come back; and start anew without failpoint, if one is armed."""
        self.thaw()
        self._away_until = None
        self._next_life, self._on_freeze = "", None
        if self.child.environment is not None and self.child.environment.get(_ARM):
            self.child.environment[_ARM] = ""
            self.child.ask_to_stop()

    def look(self) -> str | None:
        """Do what is due. Returns how it has ended, once for each end: a signal's name or an exit code."""
        if self._thaw_at is not None and time.monotonic() >= self._thaw_at:
            self.thaw()
        code = self.child.exit_code
        if code is None:
            self._was_alive = True
            self._see_own_freeze()
        elif self._was_alive:
            self._was_alive = False
            self.ends += 1
            self._asked_at = None
            if self.child.environment is not None:
                self.child.environment[_ARM] = self._next_life
                if not self._next_life:
                    self._on_freeze = None
                self._next_life = ""
            self.child.check()
            return signal.Signals(-code).name if code < 0 else str(code)
        if self._away_until is None or time.monotonic() >= self._away_until:
            if code is not None:
                self._away_until = None
            self.child.check()
        return None

    def stops_slowly(self) -> bool:
        """Whether it was asked to stop too long ago; it is killed then."""
        if self._asked_at is None or time.monotonic() < self._asked_at + _STOP_SECONDS or self._frozen:
            return False
        self._asked_at = None
        with suppress(NotThere):
            self.kill()
        return True

    def _see_own_freeze(self) -> None:
        """At a failpoint it freezes by itself, and needs somebody to wake it."""
        if self._frozen or self.child.environment is None or "=stop" not in self.child.environment.get(_ARM, ""):
            return
        with suppress(NotThere, psutil.Error):
            process = self._process()
            if process.status() == psutil.STATUS_STOPPED:
                self._frozen = [process]
                self._thaw_at = time.monotonic() + self._freeze_seconds
                if self._on_freeze is not None:
                    self._on_freeze()
                    self._on_freeze = None

    def _process(self) -> psutil.Process:
        pid = self.child.state.pid
        if pid is None or self.child.exit_code is not None:
            raise NotThere(self.name)
        try:
            return psutil.Process(pid)
        except psutil.Error as error:
            raise NotThere(self.name) from error
