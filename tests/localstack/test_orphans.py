"""What a killed supervisor leaves behind is found by the state file or without it, and nothing else is touched."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from clonepost.localstack.home import Home, ProcessState, StackState
from clonepost.localstack.orphans import end_orphans, end_supervisor
from tests.awaiting import eventually

SLEEPS = "import time; print('up', flush=True); time.sleep(600)"
GRACEFUL = "import signal, sys; signal.signal(signal.SIGINT, lambda *_: sys.exit(7)); signal.signal(15, sys.exit);"

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a Python process that is up when the call returns; it ends with the test."""
    started: list[subprocess.Popen[str]] = []

    def begin(
        *arguments: str,
        program: str = GRACEFUL + SLEEPS,
        cwd: Path | None = None,
        more: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            stdout=subprocess.PIPE,
            text=True,
            cwd=cwd,
            env={**os.environ, **(more or {})},
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def written(process: subprocess.Popen[str], role: str = "dedup") -> ProcessState:
    return ProcessState(role, process.pid, "running", 0, psutil.Process(process.pid).create_time())


def ended_gracefully(process: subprocess.Popen[str]) -> bool:
    return process.wait() == 7


def test_ends_what_the_state_file_names(home: Home, start: Start) -> None:
    role, server, stranger = start(), start(), start()
    home.write(StackState(ProcessState("supervisor"), [written(server, "kafka"), written(role)]))
    assert end_orphans(home) == 2
    assert ended_gracefully(role)
    assert ended_gracefully(server)
    assert stranger.poll() is None


def test_a_later_owner_of_a_pid_is_left_alone(home: Home, start: Start) -> None:
    stranger = start()
    state = written(stranger)
    assert state.created is not None
    state.created -= 60
    home.write(StackState(ProcessState("supervisor"), [state]))
    assert end_orphans(home) == 0
    assert stranger.poll() is None


@pytest.mark.parametrize("state", ["", "{"])
def test_finds_roles_and_servers_without_a_state_file(home: Home, start: Start, state: str) -> None:
    home.state_file.write_text(state)
    home.postgres.mkdir()
    ours = start("clonepost", more={"CLONEPOST_INSTANCE": f"{home.identity()}.dedup"})
    kafka = start("kafka.Kafka", str(home.kafka / "server.properties"))
    postgres = start(cwd=home.postgres)
    (home.postgres / "postmaster.pid").write_text(f"{postgres.pid}\n{home.postgres}\n")
    of_another_stack = start("clonepost", more={"CLONEPOST_INSTANCE": "feedbeef.dedup"})
    assert end_orphans(home) == 3
    assert all(ended_gracefully(process) for process in (ours, kafka, postgres))
    assert of_another_stack.poll() is None


def test_a_pid_file_that_names_somebody_else_means_nothing(home: Home, start: Start) -> None:
    home.postgres.mkdir()
    stranger = start()
    (home.postgres / "postmaster.pid").write_text(f"{stranger.pid}\n")
    assert end_orphans(home) == 0
    assert stranger.poll() is None


def test_one_that_will_not_end_is_killed(home: Home, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clonepost.localstack.orphans._GRACE_SECONDS", 0.1)
    stubborn = start(program="import signal; signal.signal(signal.SIGINT, signal.SIG_IGN);" + SLEEPS)
    home.write(StackState(ProcessState("supervisor"), [written(stubborn)]))
    assert end_orphans(home) == 1
    assert stubborn.wait() == -9


def test_nothing_is_left_of_nothing(home: Home, tmp_path: Path) -> None:
    assert end_orphans(home) == 0
    assert end_orphans(Home(tmp_path / "never")) == 0
    assert not (tmp_path / "never").exists()
    assert not end_supervisor(home, timeout_seconds=0)


def test_a_supervisor_is_asked_and_then_made_to_end(home: Home, start: Start) -> None:
    deaf = start(program="import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + SLEEPS)
    home.write(StackState(written(deaf, "supervisor")))
    assert end_supervisor(home, timeout_seconds=0.1)
    assert deaf.wait() == -9
    polite = start()
    home.write(StackState(written(polite, "supervisor")))
    assert end_supervisor(home, timeout_seconds=60)
    eventually(lambda: polite.poll() is not None, what="the supervisor ends")
    assert polite.returncode != -9
