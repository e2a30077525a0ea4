"""The servers of a whole test run, for workers that share them; and no process of the run outlives it."""

import os
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Final

import psutil

from tests.awaiting import eventually

RUN: Final = "TESTS_OF_RUN"

Server = Callable[[Path], AbstractContextManager[str]]


class SharedServers:
    """Starts servers behind the caller's back, tells workers their addresses by files, and ends all in `close`."""

    def __init__(self, servers: Mapping[str, Server]) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="cp-", ignore_cleanup_errors=True)
        self.folder: Final = Path(self._temporary.name)
        # Every process of the run inherits it.
        os.environ[RUN] = self.folder.name
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._serve, args=one, name=one[0]) for one in servers.items()]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop the servers, and whatever a worker that was cut off has left running."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        _end_processes_of(self.folder.name)
        self._temporary.cleanup()

    def _serve(self, name: str, server: Server) -> None:
        address = ""
        try:
            with server(self.folder) as address:
                _tell(self.folder, name, address)
                self._over.wait()
        finally:
            if not address:
                _tell(self.folder, name, "")


def address_of(name: str, folder: Path) -> str:
    """Where that server of the run answers; waits until it does."""
    file = folder / f"{name}.address"
    eventually(file.exists, what=f"the shared {name} has started", bound_seconds=300)
    address = file.read_text("utf-8")
    assert address, f"the shared {name} could not be started; the run's first lines say why"
    return address


def _tell(folder: Path, name: str, address: str) -> None:
    whole = folder / f"{name}.part"
    whole.write_text(address, "utf-8")
    whole.rename(folder / f"{name}.address")


def _end_processes_of(run: str) -> None:
    left = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ().get(RUN) == run:
                process.kill()
                left.append(process)
    psutil.wait_procs(left, timeout=5)
