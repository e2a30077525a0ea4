"""Things that tests need and no Python package carries: fetched once into the cache, known by their hash."""

import hashlib
import os
import shutil
import tarfile
import urllib.request
from pathlib import Path

import pytest

from clonepost.localstack.jars import cache_folder


def unpacked(name: str, url: str, sha256: str) -> Path:
    """The folder of an unpacked archive. Skips the test, loudly, where it cannot be fetched."""
    folder = cache_folder().parent / name
    if folder.exists():
        return folder
    partial = folder.with_name(f".{name}.{os.getpid()}")
    partial.mkdir(parents=True)
    try:
        archive, _ = urllib.request.urlretrieve(url, partial / "archive")
    except OSError as error:
        shutil.rmtree(partial)
        pytest.skip(f"NOT TESTED: {url} could not be fetched: {error}")
    with Path(archive).open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == sha256, f"{url} served something else"
    with tarfile.open(archive) as packed:
        packed.extractall(partial, filter="data")
    Path(archive).unlink()
    try:
        partial.replace(folder)
    except OSError:
        # Another worker was faster.
        shutil.rmtree(partial)
    return folder
