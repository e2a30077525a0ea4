"""A supervised process: restarted when it dies, ended gracefully, and hard when it will not end."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from clonepost.localstack.child import Child
from clonepost.localstack.home import find_process
from tests.awaiting import eventually

SLEEPS = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + SLEEPS
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEPS!r}]);" + STUBBORN


@pytest.fixture
def children() -> Iterator[list[Child]]:
    """Whatever a test starts ends with it."""
    started: list[Child] = []
    yield started
    for child in started:
        child.await_stop(0)


def start(children: list[Child], folder: Path, program: str) -> Child:
    child = Child("role", [sys.executable, "-c", program], log=folder / "logs" / "role.log")
    children.append(child)
    child.start()
    return child


def said(child: Child, word: str, *, times: int = 1) -> bool:
    return child.log.read_text().count(word) >= times


def test_a_killed_process_is_restarted_and_counted(children: list[Child], tmp_path: Path) -> None:
    child = start(children, tmp_path, SLEEPS)
    eventually(lambda: said(child, "up"), what="it runs")
    first = child.state.pid
    assert first is not None
    assert child.check() is None
    psutil.Process(first).kill()
    told = eventually(child.check, what="its death is noticed")
    assert told == f"role killed by SIGKILL; see {child.log}"
    assert (child.state.state, child.state.pid, child.state.restarts) == ("restarting", None, 0)
    told = eventually(child.check, what="it is restarted")
    assert told == f"role restarted (pid {child.state.pid})"
    assert (child.state.state, child.state.restarts) == ("running", 1)
    assert child.state.pid != first
    eventually(lambda: said(child, "up", times=2), what="it runs again")


def test_one_that_ends_at_once_leaves_its_last_words(children: list[Child], tmp_path: Path) -> None:
    child = start(children, tmp_path, "import sys; print('first'); sys.exit('the disk is full')")
    assert eventually(child.check, what="its end is noticed") == f"role exited with 1; see {child.log}"
    assert child.last_words() == "the disk is full"


def test_stops_when_asked(children: list[Child], tmp_path: Path) -> None:
    farewell = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit('farewell'));" + SLEEPS
    child = start(children, tmp_path, farewell)
    eventually(lambda: said(child, "up"), what="it runs")
    process = find_process(child.state)
    assert process is not None
    child.ask_to_stop()
    assert child.state.state == "stopping"
    child.await_stop(60)
    assert (child.state.state, child.state.pid) == ("stopped", None)
    assert child.last_words() == "farewell"
    assert not process.is_running()


def test_one_that_will_not_stop_is_killed_with_all_it_started(children: list[Child], tmp_path: Path) -> None:
    child = start(children, tmp_path, PARENT)
    eventually(lambda: said(child, "up", times=2), what="both run")
    parent = find_process(child.state)
    assert parent is not None
    (grandchild,) = parent.children()
    child.ask_to_stop()
    child.await_stop(0.1)
    assert child.state.state == "stopped"
    eventually(lambda: not lives(grandchild), what="what it started has ended too")


def test_a_hurry_ends_the_wait(children: list[Child], tmp_path: Path) -> None:
    child = start(children, tmp_path, STUBBORN)
    eventually(lambda: said(child, "up"), what="it runs")
    hurry = threading.Event()
    hurry.set()
    child.ask_to_stop()
    child.await_stop(10_000, hurry)
    assert child.state.state == "stopped"


def test_a_ctrl_c_in_the_terminal_does_not_reach_it(children: list[Child], tmp_path: Path) -> None:
    child = start(children, tmp_path, "import os; print('group', os.getpgrp(), os.getsid(0), flush=True);" + SLEEPS)
    eventually(lambda: said(child, "up"), what="it runs")
    # A terminal signals the foreground process group; this one leads a group and a session of its own.
    assert f"group {child.state.pid} {child.state.pid}" in child.log.read_text()


def test_a_large_log_is_set_aside(children: list[Child], tmp_path: Path) -> None:
    log = tmp_path / "logs" / "role.log"
    log.parent.mkdir()
    with log.open("wb") as file:
        file.truncate(20_000_001)
    child = start(children, tmp_path, SLEEPS)
    eventually(lambda: said(child, "up"), what="it runs")
    assert child.log.stat().st_size < 100
    assert (tmp_path / "logs" / "role.old.log").stat().st_size == 20_000_001


def test_restarts_slow_down(children: list[Child], tmp_path: Path) -> None:
    child = start(children, tmp_path, "raise SystemExit(3)")
    pauses = []
    for _ in range(3):
        eventually(lambda: child.state.state == "restarting" or child.check(), what="it ends")
        assert child._restart_at is not None
        pauses.append(child._wait_seconds)
        eventually(lambda: child.state.state == "running" or child.check(), what="it is restarted")
    assert pauses == [0.4, 0.8, 1.6]


def lives(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
