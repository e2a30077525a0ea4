"""Apache Kafka's jars: fetched once by a lock of coordinates and hashes, into the user's cache."""

import hashlib
import http.client
import os
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from runtime.errors import ClonepostError

_AT_ONCE: Final = 8
_TIMEOUT_SECONDS: Final = 60
_ATTEMPTS: Final = 3
_MIRROR: Final = "CLONEPOST_MAVEN_REPOSITORY"


@dataclass(frozen=True, slots=True)
class Jar:
    """One artifact: Maven coordinates and the SHA-256 that its bytes must have."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def name(self) -> str:
        """The file's name."""
        return f"{self.artifact}-{self.version}.jar"

    @property
    def path(self) -> str:
        """Where a Maven repository has it."""
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.name}"


def locked_jars() -> list[Jar]:
    """What the lock lists."""
    text = (files("clonepost.localstack") / "kafka-jars.lock").read_text("utf-8")
    rows = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    jars = []
    for coordinates, sha256 in rows:
        group, artifact, version = coordinates.split(":")
        jars.append(Jar(group, artifact, version, sha256))
    return jars


def cache_folder() -> Path:
    """Where jars are kept between runs and homes."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "clonepost" / "jars"


def class_path(progress: Callable[[int, int], None] = lambda _done, _all: None) -> str:
    """The class path of the broker, fetching what the cache lacks. `progress` is told (jars there, jars in all).

    A half-finished download is never seen: a jar appears under its name only when its hash is right. Raises
    ClonepostError when a jar cannot be had.
    """
    folder, jars = cache_folder(), locked_jars()
    folder.mkdir(parents=True, exist_ok=True)
    missing = [jar for jar in jars if not (folder / jar.name).exists()]
    done = len(jars) - len(missing)
    progress(done, len(jars))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in pool.map(lambda jar: _fetch(jar, folder), missing):
            done += 1
            progress(done, len(jars))
    return os.pathsep.join(str(folder / jar.name) for jar in jars)


def _fetch(jar: Jar, folder: Path) -> None:
    content = _download(jar)
    if hashlib.sha256(content).hexdigest() != jar.sha256:
        raise ClonepostError(f"{jar.name} does not have the locked SHA-256: the repository served something else")
    partial = folder / f".{jar.name}.{os.getpid()}"
    partial.write_bytes(content)
    partial.replace(folder / jar.name)


def _download(jar: Jar) -> bytes:
    url = f"{_repository()}/{jar.path}"
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310 -- the hash decides
                content: bytes = response.read()
                return content
        except (OSError, http.client.HTTPException) as error:
            if attempt == _ATTEMPTS:
                raise ClonepostError(
                    f"could not fetch {jar.name}: {error}. Check the network, or set {_MIRROR} to a Maven mirror."
                ) from error
    raise AssertionError("unreachable: the last attempt returns or raises")


def _repository() -> str:
    mirror = os.environ.get(_MIRROR)
    if mirror:
        return mirror.rstrip("/")
    from jgo.constants import MAVEN_CENTRAL_URL

    return str(MAVEN_CENTRAL_URL).rstrip("/")
