"""One supervised process: started, watched, restarted when it dies, stopped gracefully and then hard."""

import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from clonepost.localstack.home import ProcessState
from clonepost.localstack.postgres import Account

_FIRST_RESTART_SECONDS: Final = 0.2
_MAX_RESTART_SECONDS: Final = 10.0
_HEALTHY_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.02
_LOG_BYTES: Final = 20_000_000
_TAIL_BYTES: Final = 2_000


class Child:
    """A process of the stack and what is known of it. Its output goes to a file in the home. Not thread-safe."""

    def __init__(
        self,
        role: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        account: Account | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        inherits: Sequence[int] = (),
    ) -> None:
        """`inherits` are descriptors of ours that it gets under the same numbers."""
        self.state = ProcessState(role)
        self.log: Final = log
        self.max_restart_seconds = _MAX_RESTART_SECONDS
        """It waits longer after each death, up to this."""
        self.environment = dict(environment) if environment is not None else None
        """What its next start gets; None for ours."""
        self._command = list(command)
        self._account = account
        self._stop_signal = stop_signal
        self._inherits = tuple(inherits)
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._restart_at: float | None = None
        self._wait_seconds = _FIRST_RESTART_SECONDS

    @property
    def exit_code(self) -> int | None:
        """How it ended, negative for a signal; None while it lives and before it was started."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start it, in a session of its own, so that a Ctrl-C in the terminal reaches the supervisor alone."""
        self._rotate_log()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                user=None if self._account is None else self._account.uid,
                group=None if self._account is None else self._account.gid,
                extra_groups=None if self._account is None else (),
                start_new_session=True,
                pass_fds=self._inherits,
            )
        self._started_at = time.monotonic()
        self._restart_at = None
        self.state.pid = self._process.pid
        self.state.state = "running"
        try:
            self.state.created = psutil.Process(self._process.pid).create_time()
        except psutil.Error:
            self.state.created = time.time()

    def check(self) -> str | None:
        """Notice a death, restart when it is time. Returns what changed, in words."""
        if self._process is None:
            return None
        code = self._process.poll()
        if code is None:
            if time.monotonic() - self._started_at > _HEALTHY_SECONDS:
                self._wait_seconds = _FIRST_RESTART_SECONDS
            return None
        if self._restart_at is None:
            self._restart_at = time.monotonic() + self._wait_seconds
            self._wait_seconds = min(self._wait_seconds * 2, self.max_restart_seconds)
            self.state.state = "restarting"
            self.state.pid = None
            how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"
            return f"{self.state.role} {how}; see {self.log}"
        if time.monotonic() >= self._restart_at:
            self.state.restarts += 1
            self.start()
            return f"{self.state.role} restarted (pid {self.state.pid})"
        return None

    def ask_to_stop(self) -> None:
        """Send the stop signal."""
        if self._process is not None and self._process.poll() is None:
            self.state.state = "stopping"
            self._process.send_signal(self._stop_signal)

    def await_stop(self, seconds: float, hurry: threading.Event | None = None) -> None:
        """Wait for its end; after `seconds`, or when `hurry` is set, end it and all that it started."""
        if self._process is None:
            return
        until = time.monotonic() + seconds
        while self._process.poll() is None and time.monotonic() < until and not (hurry and hurry.is_set()):
            time.sleep(_POLL_SECONDS)
        if self._process.poll() is None:
            self._kill_family()
        self._process.wait()
        self.state.state = "stopped"
        self.state.pid = None

    def last_words(self) -> str:
        """The last line of its log; empty when it said nothing."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
                lines = log.read().decode("utf-8", "replace").strip().splitlines()
        except OSError:
            return ""
        return lines[-1].strip() if lines else ""

    def _kill_family(self) -> None:
        assert self._process is not None
        with suppress(psutil.Error):
            for member in psutil.Process(self._process.pid).children(recursive=True):
                with suppress(psutil.Error):
                    member.kill()
        self._process.kill()

    def _rotate_log(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
            self.log.replace(self.log.with_suffix(".old.log"))
