"""Where rendered files live: one small port, and a local folder behind it.

A file is written once, under a key that names its attempt, and never changes. Keys are ours alone (ids, numbers and
names of the renderer): nothing that a caller sends is ever a part of one.
"""

import os
import shutil
import uuid
from pathlib import Path
from typing import Protocol

from storage.variations import Lease


class AssetMissing(Exception):
    """There is no such file."""


class AssetStore(Protocol):
    """Files by key. Blocking: called from threads that may wait."""

    def put(self, key: str, content: bytes) -> None:
        """Keep the file, whole or not at all; durable when this returns."""
        ...

    def read(self, key: str, start: int, length: int) -> bytes:
        """Up to `length` bytes from `start`. Raises AssetMissing."""
        ...

    def discard(self, prefix: str) -> None:
        """Drop every file under a prefix; none is fine."""
        ...


def attempt_prefix(lease: Lease) -> str:
    """Where the files of one attempt are. Never change: rows of years name their files by it."""
    return f"{lease.job_id}/{lease.index}/{lease.attempt}"


class LocalFolder:
    """An AssetStore in a folder that every render and api process sees."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, key: str, content: bytes) -> None:
        """Written beside and moved into place, so that no reader sees a part."""
        file = self._folder / key
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
        with partial.open("wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        partial.replace(file)

    def read(self, key: str, start: int, length: int) -> bytes:
        """Opened for each piece: a reader that stalls holds no file."""
        try:
            with (self._folder / key).open("rb") as file:
                file.seek(start)
                return file.read(length)
        except FileNotFoundError as error:
            raise AssetMissing(key) from error

    def discard(self, prefix: str) -> None:
        """Drop the folder of that prefix."""
        shutil.rmtree(self._folder / prefix, ignore_errors=True)
