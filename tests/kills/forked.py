"""Role processes forked from a server that has imported them: a kill costs no second of imports for the next life.

What runs is each role's own `main()`, with an environment of its own; nothing is opened before the fork.
"""

import importlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from clonepost.roles import BY_NAME, ROLES
from clonepost.run.process import EXIT_FATAL
from runtime.settings import Settings
from tests.awaiting import eventually
from tests.e2e.pipeline import Pipeline

_CONTEXT: Final = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["__main__", __name__, *(role.module for role in ROLES)])


class ForkedRole:
    """One process of one role. Its output is appended to a file."""

    def __init__(self, role: str, *, log: Path, environment: Mapping[str, str]) -> None:
        self._process = _CONTEXT.Process(target=_live, args=(role, str(log), dict(environment)))

    def start(self) -> None:
        """Start it."""
        self._process.start()

    @property
    def ended_by(self) -> int | None:
        """None while it lives; else its exit code, negative for a signal."""
        return self._process.exitcode

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it lives."""
        if self._process.pid is not None and self.ended_by is None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        self.send(signal.SIGTERM)

    def await_stop(self, seconds: float) -> None:
        """Wait for its end, and make one after so long."""
        self._process.join(seconds)
        self.send(signal.SIGKILL)
        self._process.join()


class KilledPipeline(Pipeline):
    """A pipeline whose processes are forked, and of which a role may have several."""

    processes: dict[str, ForkedRole]

    def __init__(self, settings: Settings, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        super().__init__(settings, folder, environment)
        self.processes = {}

    def fork(self, name: str, role: str | None = None, **environment: str) -> ForkedRole:
        """Start one process and wait for nothing. Its name is its role's, or another where a role has several."""
        process = ForkedRole(
            role or name,
            log=self.folder / f"{name}.log",
            environment={**self.environment, "CLONEPOST_INSTANCE": name, **environment},
        )
        process.start()
        self.processes[name] = process
        return process

    def await_ready(self) -> None:
        """Wait until the API is ready."""
        eventually(self._ready, what="the API is ready")

    def supervise(self) -> None:
        """Start again what has halted, as every supervisor does. Raises AssertionError when one ended otherwise."""
        for name, process in list(self.processes.items()):
            if process.ended_by is not None:
                said = self.log(name)[-4_000:]
                assert process.ended_by == EXIT_FATAL, f"{name} ended with {process.ended_by}\n{said}"
                self.fork(name)

    def close(self) -> None:
        """Stop everything."""
        for process in self.processes.values():
            # One that was frozen could not hear the other.
            process.send(signal.SIGCONT)
            process.ask_to_stop()
        for process in self.processes.values():
            process.await_stop(15)
        super().close()


def _live(role: str, log: str, environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(output, stream)
    sys.stdin.close()
    threading.Thread(target=_die_with_the_tests, daemon=True).start()
    importlib.import_module(BY_NAME[role].module).main()


def _die_with_the_tests() -> None:
    tests = multiprocessing.parent_process()
    if tests is not None:
        tests.join()
        os.kill(os.getpid(), signal.SIGKILL)
