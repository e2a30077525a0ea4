"""Where roles say that they are ready: systemd's protocol (sd_notify), with the supervisor in the place of systemd."""

import re
import socket
from contextlib import suppress
from pathlib import Path
from typing import Final

_MOST_BYTES: Final = 4_096
_READY: Final = re.compile(rb"^READY=1$", re.MULTILINE)
_PID: Final = re.compile(rb"^MAINPID=(\d+)$", re.MULTILINE)


class Notices:
    """A socket in a folder, and the processes that have said on it that they are ready. Not thread-safe."""

    def __init__(self, folder: Path) -> None:
        """`folder` is short: a socket's path may have 107 bytes. A socket that a killed supervisor left is replaced."""
        folder.mkdir(parents=True, exist_ok=True)
        self.address: Final = folder / "notify"
        self.address.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(str(self.address))
        self._ready: set[int] = set()

    def read(self) -> None:
        """Take what has been said. Call it again and again: the kernel keeps about ten, then speakers wait."""
        with suppress(BlockingIOError):
            while notice := self._socket.recv(_MOST_BYTES):
                found = _PID.search(notice)
                if found is not None and _READY.search(notice):
                    self._ready.add(int(found[1]))

    def is_ready(self, pid: int | None) -> bool:
        """Whether that process has said so."""
        self.read()
        return pid in self._ready

    def forget(self, pid: int | None) -> None:
        """That process has ended; another may get its number."""
        self._ready.discard(pid or 0)

    def close(self) -> None:
        """Remove the socket."""
        self._socket.close()
        self.address.unlink(missing_ok=True)
