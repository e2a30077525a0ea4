"""One supervised process: started, watched, restarted when it dies, stopped gracefully and then hard."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import psutil

from clonepost.localstack.home import ProcessState, find_process

_FIRST_RESTART_SECONDS: Final = 0.2
_MAX_RESTART_SECONDS: Final = 10.0
_HEALTHY_SECONDS: Final = 30.0


class Child:
    """A process of the stack and what is known of it. Its output goes to a file in the home."""

    def __init__(
        self,
        role: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.state = ProcessState(role)
        self._command = list(command)
        self._log = log
        self._environment = dict(environment) if environment is not None else None
        self._user = user
        self._stop_signal = stop_signal
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._restart_at: float | None = None
        self._wait_seconds = _FIRST_RESTART_SECONDS

    def start(self) -> None:
        """Start it, in a session of its own, so that a Ctrl-C in the terminal reaches the supervisor alone."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                user=self._user,
                start_new_session=True,
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
            self._wait_seconds = min(self._wait_seconds * 2, _MAX_RESTART_SECONDS)
            self.state.state = "restarting"
            self.state.pid = None
            how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"
            return f"{self.state.role} {how}; see {self._log}"
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

    def await_stop(self, seconds: float) -> None:
        """Wait for its end, then make it end."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.state.state = "stopped"
        self.state.pid = None


def end_orphan(state: ProcessState) -> None:
    """End a process that a supervisor left behind when it was killed, with all that it started."""
    process = find_process(state)
    if process is None:
        return
    family = [*process.children(recursive=True), process]
    # Postgres takes SIGINT as "stop now, cleanly"; every other process of ours ends on it as well.
    process.send_signal(signal.SIGINT)
    _, alive = psutil.wait_procs(family, timeout=10)
    for left in alive:
        left.kill()
    psutil.wait_procs(alive, timeout=5)


def role_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Our environment with `extra` on top."""
    return {**os.environ, **extra}
