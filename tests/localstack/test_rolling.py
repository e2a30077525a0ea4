"""Rolling restarts of small programs: the order, one that will not stop, one that never gets ready, one that dies."""

import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from clonepost.localstack.child import Child
from clonepost.localstack.notices import Notices
from clonepost.localstack.rolling import RollingRestart
from clonepost.run.process import tell_ready
from runtime.settings import Settings
from tests.awaiting import eventually

READY = """
import os, socket, sys, time
notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notices.sendto(b"READY=1\\nMAINPID=%d" % os.getpid(), sys.argv[1])
time.sleep(600)
"""
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + READY
MUTE = "import time; time.sleep(600)"


@pytest.fixture
def notices() -> Iterator[Notices]:
    """A socket in a short folder."""
    with tempfile.TemporaryDirectory(prefix="cp-") as folder:
        notices = Notices(Path(folder))
        yield notices
        notices.close()


@pytest.fixture
def children() -> Iterator[list[Child]]:
    """Whatever a test starts ends with it."""
    started: list[Child] = []
    yield started
    for child in started:
        child.await_stop(0)


def start(children: list[Child], notices: Notices, folder: Path, role: str, program: str = READY) -> Child:
    child = Child(role, [sys.executable, "-c", program, str(notices.address)], log=folder / f"{role}.log")
    children.append(child)
    child.start()
    if program is not MUTE:
        eventually(lambda: notices.is_ready(child.state.pid), what=f"{role} is ready")
    return child


def steps(roll: RollingRestart) -> list[str]:
    """What it says until it is over."""
    said: list[str] = []

    def step() -> bool:
        if change := roll.step():
            said.append(change)
        return roll.over

    eventually(step, what=f"the restart is over: {said}")
    return said


def test_one_after_the_other_and_each_is_ready_before_the_next_stops(
    notices: Notices, children: list[Child], tmp_path: Path
) -> None:
    before = [start(children, notices, tmp_path, role).state.pid for role in ("first", "second")]
    said = steps(RollingRestart(children, notices))
    after = [child.state.pid for child in children]
    assert not {*before} & {*after}
    how = f", after it had ended with {-signal.SIGTERM}"
    assert [line.split(";")[0] for line in said] == [
        f"first stops (pid {before[0]})",
        f"first started again (pid {after[0]}){how}",
        f"first is ready (pid {after[0]})",
        f"second stops (pid {before[1]})",
        f"second started again (pid {after[1]}){how}",
        f"second is ready (pid {after[1]})",
    ]
    assert [child.state.restarts for child in children] == [0, 0], "deaths are counted, and these were none"


def test_one_that_will_not_stop_is_killed(
    notices: Notices, children: list[Child], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clonepost.localstack.rolling._STOP_SECONDS", 0.1)
    start(children, notices, tmp_path, "stubborn", STUBBORN)
    assert f"ended with {-signal.SIGKILL}" in steps(RollingRestart(children, notices))[1]


def test_one_that_does_not_get_ready_ends_the_restart_and_leaves_the_rest_alone(
    notices: Notices, children: list[Child], tmp_path: Path
) -> None:
    start(children, notices, tmp_path, "mute", MUTE)
    other = start(children, notices, tmp_path, "other").state.pid
    roll = RollingRestart(children, notices, ready_seconds=0.1)
    said = steps(roll)
    assert roll.failure is not None
    assert "mute was not ready within 0 s" in roll.failure
    assert said[-1] == roll.failure
    assert children[1].state.pid == other
    assert roll.step() is None


def test_its_supervisor_leaves_alone_what_stops_and_tends_what_dies(
    notices: Notices, children: list[Child], tmp_path: Path
) -> None:
    child = start(children, notices, tmp_path, "role")
    roll = RollingRestart(children, notices)
    assert not roll.stops(child)
    roll.step()
    assert roll.stops(child)
    eventually(lambda: roll.step(), what="it is started again")
    assert not roll.stops(child)
    assert child.state.pid is not None
    child.ask_to_stop()
    eventually(child.check, what="its death before it was ready is noticed")
    eventually(child.check, what="it is started by its supervisor")
    eventually(lambda: roll.step() and roll.over, what="the restart waits for that one")
    assert child.state.restarts == 1


def test_notices_that_mean_nothing_are_passed_over(notices: Notices, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        for notice in (b"READY=0\nMAINPID=7", b"MAINPID=7", b"READY=1", b"\xff" * 100, b"READY=1\nMAINPID=x"):
            client.sendto(notice, str(notices.address))
        assert not notices.is_ready(7)
        client.sendto(b"STATUS=up\nREADY=1\nMAINPID=7\n", str(notices.address))
        assert notices.is_ready(7)
    notices.forget(7)
    assert not notices.is_ready(7)
    assert not notices.is_ready(None)


def test_a_role_works_although_nobody_reads_that_it_is_ready(notices: Notices) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client, suppress(BlockingIOError):
        client.setblocking(False)
        for _ in range(10_000):
            client.sendto(b"READY=1\nMAINPID=7", str(notices.address))
        pytest.fail("the kernel keeps any number of notices here")
    tell_ready(Settings(notify_socket=str(notices.address)))
    notices.read()
    assert not notices.is_ready(os.getpid())
    tell_ready(Settings(notify_socket=str(notices.address)))
    assert notices.is_ready(os.getpid())
