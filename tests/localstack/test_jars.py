"""Kafka's jars: locked, fetched once, held against their hashes, and never half there."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from clonepost.localstack import jars
from clonepost.localstack.jars import Jar, class_path, locked_jars
from runtime.errors import ClonepostError


class Repository:
    """A Maven repository on this machine: what it serves by path, and what was asked of it."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.broken_answers = 0

    def answer(self, path: str) -> tuple[int, bytes, int]:
        """Status, body and the length that is announced."""
        self.asked.append(path)
        body = self.files.get(path.removeprefix("/"))
        if body is None:
            return 404, b"", 0
        if self.broken_answers:
            self.broken_answers -= 1
            return 200, body[:1], len(body)
        return 200, body, len(body)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    repository = Repository()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body, length = repository.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("CLONEPOST_MAVEN_REPOSITORY", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    yield repository
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def two(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> list[Jar]:
    """A lock of two jars that the repository has."""
    lock = []
    for name, content in (("one", b"first"), ("two", b"second")):
        jar = Jar("org.example.deep", name, "1.0", hashlib.sha256(content).hexdigest())
        repository.files[jar.path] = content
        lock.append(jar)
    monkeypatch.setattr(jars, "locked_jars", lambda: lock)
    return lock


def cached() -> list[str]:
    return sorted(file.name for file in jars.cache_folder().iterdir())


def test_the_lock_names_every_jar_once_with_a_hash() -> None:
    lock = locked_jars()
    assert len({jar.name for jar in lock}) == len(lock) > 40
    assert all(len(jar.sha256) == 64 and int(jar.sha256, 16) for jar in lock)
    assert {(jar.artifact, jar.version) for jar in lock} >= {("kafka_2.13", "4.3.1"), ("slf4j-simple", "1.7.36")}


def test_fetches_what_is_missing_and_only_that(repository: Repository, two: list[Jar]) -> None:
    steps: list[tuple[int, int]] = []
    first = class_path(lambda done, total: steps.append((done, total)))
    assert [Path(part).read_bytes() for part in first.split(":")] == [b"first", b"second"]
    assert steps == [(0, 2), (1, 2), (2, 2)]
    asked = len(repository.asked)
    assert class_path() == first
    assert len(repository.asked) == asked == 2


def test_a_jar_with_other_bytes_is_refused_and_not_kept(repository: Repository, two: list[Jar]) -> None:
    repository.files[two[1].path] = b"something else"
    with pytest.raises(ClonepostError, match=r"two-1\.0\.jar does not have the locked SHA-256"):
        class_path()
    assert cached() == ["one-1.0.jar"]


def test_a_broken_download_is_tried_again(repository: Repository, two: list[Jar]) -> None:
    repository.broken_answers = 2
    assert class_path()
    assert cached() == ["one-1.0.jar", "two-1.0.jar"]
    assert len(repository.asked) == 4


def test_a_repository_without_the_jar_is_told_with_what_to_do(repository: Repository, two: list[Jar]) -> None:
    del repository.files[two[0].path]
    with pytest.raises(ClonepostError, match=r"could not fetch one-1\.0\.jar: .*404.*CLONEPOST_MAVEN_REPOSITORY"):
        class_path()


def test_a_half_finished_download_of_an_earlier_run_is_not_seen(repository: Repository, two: list[Jar]) -> None:
    jars.cache_folder().mkdir(parents=True)
    (jars.cache_folder() / ".one-1.0.jar.4711").write_bytes(b"fir")
    parts = class_path().split(":")
    assert [Path(part).read_bytes() for part in parts] == [b"first", b"second"]
