"""Ports on 127.0.0.1: the usual one where it is free, else another; stacks that start at once never pick the same."""

import fcntl
import socket
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import IO, Final

from clonepost.localstack.jars import cache_folder
from runtime.errors import ClonepostError

HTTP: Final = 8080
KAFKA: Final = 9092


class PortLeases:
    """The ports of one stack. A port stays ours until `release`, also before anything listens on it."""

    def __init__(self, folder: Path | None = None) -> None:
        """`folder` is where stacks of one user see each other's leases."""
        self._folder = folder or cache_folder().parent / "ports"
        self._held: list[IO[str]] = []

    def take(self, preferred: Iterable[int]) -> int:
        """The first of `preferred` that nobody has, else any free port."""
        for port in preferred:
            if self._lease(port):
                return port
        while True:
            port = free_port()
            if self._lease(port):
                return port

    def take_exactly(self, port: int) -> int:
        """That port. Raises ClonepostError when somebody has it."""
        if not self._lease(port):
            raise ClonepostError(f"port {port} is taken: choose another with --port, or leave it out for a free one")
        return port

    def release(self) -> None:
        """Give every port back."""
        for lease in self._held:
            lease.close()
        self._held.clear()

    def _lease(self, port: int) -> bool:
        if not is_free(port):
            return False
        self._folder.mkdir(parents=True, exist_ok=True)
        lease = (self._folder / str(port)).open("w")
        try:
            fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lease.close()
            return False
        self._held.append(lease)
        return True


def is_free(port: int) -> bool:
    """Whether nothing listens there now."""
    with closing(socket.socket()) as probe:
        # Connections of an earlier owner that linger do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that nothing listens on now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
