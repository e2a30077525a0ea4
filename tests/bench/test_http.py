"""`clonepost bench http`: what it sends, what it makes of what it saw, and a whole short run."""

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn

from bench.http import wrk
from bench.http.echo import echo
from bench.http.measure import ACKNOWLEDGED, ECHO, EXACT, FULL, HALF, LOW, Phase, Plan
from bench.http.report import document
from bench.http.wrk import Answered, Load
from runtime.errors import ClonepostError
from schemas.ids import OrgId, new_request_id
from schemas.request_rules import request_from_body
from schemas.strict_json import parse_strict
from tests.awaiting import eventually

needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed (apt-get install wrk)")

_PROJECT = "0f9d1c52-8a55-4d63-9a0b-64d2a2f3a1b7"


class _Recorder:
    """The echo, with everything that it was sent."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, bytes, bytes, float]] = []

    async def __call__(self, scope, receive, send):  # type: ignore[no-untyped-def]
        at = time.monotonic()
        message = await receive()
        key = dict(scope["headers"])[b"x-api-key"]
        self.seen.append((scope["path"], key, message["body"], at))

        async def again():  # type: ignore[no-untyped-def]
            return message

        await echo(scope, again, send)


@contextmanager
def _served(application: object) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(application, lifespan="off", log_config=None))  # type: ignore[arg-type]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        eventually(lambda: server.started, what="the server listens")
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@needs_wrk
def test_every_request_is_valid_and_has_a_container_and_a_body_of_its_own() -> None:
    recorder = _Recorder()
    with _served(recorder) as url:
        answered = wrk.run(Load(url, _PROJECT, "lp_bench_key", connections=4, seconds=1))
    assert 0 < answered.requests <= len(recorder.seen)
    assert (answered.refused, answered.broken) == (0, 0)
    assert 0 < answered.p50_ms <= answered.p99_ms <= answered.max_ms
    containers = [path.split("/")[3] for path, _, _, _ in recorder.seen]
    assert len(set(containers)) == len(containers)
    assert len({body for _, _, body, _ in recorder.seen}) == len(recorder.seen)
    assert len({len(body) for _, _, body, _ in recorder.seen}) == 1
    for (path, key, body, _), container in zip(recorder.seen[:50], containers, strict=False):
        assert path == f"/v1/content/{container}/clone-from-post"
        assert key == b"lp_bench_key"
        request = request_from_body(OrgId(new_request_id()), container, parse_strict(body))
        assert (str(request.project_id), request.variations) == (_PROJECT, 3)


@needs_wrk
def test_a_rate_is_held_whatever_the_answers_take() -> None:
    recorder = _Recorder()
    with _served(recorder) as url:
        answered = wrk.run(Load(url, _PROJECT, "lp_bench_key", connections=8, seconds=2, per_second=50))
    # Of 100 requests; whatever is late is sent all the same. A busy machine may end the run late, and so with more.
    lasted_seconds = recorder.seen[-1][3] - recorder.seen[0][3]
    assert 90 <= len(recorder.seen) <= 50 * lasted_seconds + 8
    assert answered.requests <= len(recorder.seen)


def test_a_missing_generator_is_told_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ClonepostError, match="apt-get install wrk"):
        wrk.require_wrk()


def _phase(what: str, load: str, number: int, per_second: float, p99_ms: float = 2.0) -> Phase:
    answered = Answered(int(per_second * 2), 2.0, 0, 0, 0, 1.0, p99_ms, 9.0, 0.1)
    cores = {"echo": 1.0, "api-acknowledged": 0.5, "api-exact": 0.5, "kafka": 0.4, "postgres": 0.2, "wrk": 0.1}
    return Phase(what, load, number, None, answered, cores)


def test_a_ratio_is_taken_within_a_round_and_every_number_is_a_median() -> None:
    phases = []
    # The machine was three times as slow in the second round: for both, so that the ratio holds.
    for number, speed in enumerate((1.0, 0.3, 1.1), 1):
        phases += [
            _phase(ECHO, FULL, number, 1000 * speed),
            _phase(ACKNOWLEDGED, FULL, number, 500 * speed),
            _phase(EXACT, FULL, number, 200 * speed),
            _phase(ACKNOWLEDGED, HALF, number, 250 * speed),
            _phase(EXACT, HALF, number, 100 * speed),
            _phase(EXACT, LOW, number, 100, p99_ms=10 * number),
        ]
    found = document(Plan(3, 2.0, 64, 100.0), phases)
    assert (found["acknowledged_to_echo"], found["exact_to_echo"]) == (0.5, 0.2)
    assert found[ECHO][FULL]["per_second"] == 1000
    assert found[EXACT][LOW]["p99_ms"] == 20
    assert found[ACKNOWLEDGED][HALF]["cores"]["kafka"] == 0.4


@needs_wrk
@pytest.mark.slow
def test_a_short_run_measures_every_load() -> None:
    command = [sys.executable, "-m", "clonepost", "bench", "http", "--json"]
    command += ["--rounds=1", "--seconds=1", "--connections=8", "--low-rate=20"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found[ACKNOWLEDGED]) == {FULL, HALF}
    assert set(found[EXACT]) == {FULL, HALF, LOW}
    assert found["acknowledged_to_echo"] == pytest.approx(
        found[ACKNOWLEDGED][FULL]["per_second"] / found[ECHO][FULL]["per_second"]
    )
    assert 0 < found[EXACT][LOW]["per_second"] <= 25
    assert {"wrk", "echo", "kafka", "postgres", "dedup-exact"} <= set(found[EXACT][LOW]["cores"])
