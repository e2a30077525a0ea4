"""A small file system of its own for a server, that can be made full and free again. It takes root on Linux."""

import os
import subprocess
from pathlib import Path
from typing import Final

_SIZE_BYTES: Final = 6 * 1024**3
_ROOM_BYTES: Final = 16 * 4096


class NoDisk(RuntimeError):
    """This system does not let us mount anything."""


class Disk:
    """A tmpfs. Full means: its size is what is on it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mounted = False

    def mount(self) -> None:
        """Mount it. Raises NoDisk."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._mount(f"size={_SIZE_BYTES},mode=755", "-t", "tmpfs", "tmpfs")
        self._mounted = True

    def fill(self) -> None:
        """Leave no room. Raises NoDisk when it grows too fast for that."""
        for _ in range(5):
            found = os.statvfs(self._folder)
            used = (found.f_blocks - found.f_bfree) * found.f_frsize
            try:
                self._mount(f"remount,size={used + _ROOM_BYTES}")
            except NoDisk:
                continue
            return
        raise NoDisk(f"{self._folder} grew while it was being filled")

    def free(self) -> None:
        """Give the room back."""
        if self._mounted:
            self._mount(f"remount,size={_SIZE_BYTES}")

    def unmount(self) -> None:
        """Take it away, with what is on it."""
        if self._mounted:
            subprocess.run(["umount", "--lazy", str(self._folder)], check=False, capture_output=True)
            self._mounted = False

    def _mount(self, options: str, *what: str) -> None:
        command = ["mount", "-o", options, *what, str(self._folder)]
        try:
            done = subprocess.run(command, check=False, capture_output=True, text=True)
        except OSError as error:
            raise NoDisk(str(error)) from error
        if done.returncode != 0:
            raise NoDisk(done.stderr.strip() or f"mount ended with {done.returncode}")
