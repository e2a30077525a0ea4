"""Whole stacks, by the commands that a person types: side by side, killed in every part, started again, stopped."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from clonepost.environment import settings_from
from clonepost.localstack.home import Home, find_process
from clonepost.roles import ROLES
from runtime.kafka_admin import KafkaAdmin
from schemas.topics import REQUESTS
from tests.awaiting import eventually

pytestmark = pytest.mark.slow

EVERYTHING = {"kafka", "postgres", *(role.name for role in ROLES)}


@dataclass(slots=True)
class Stack:
    """One home and the commands on it, with these variables."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Home:
        return Home(self.folder / "home")

    def command(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `clonepost` with these arguments; its output goes to a file named after the first."""
        variables = {name: value for name, value in os.environ.items() if not name.startswith(("CLONEPOST_", "KAFKA_"))}
        variables.pop("DATABASE_URL", None)
        variables["CLONEPOST_HOME"] = str(self.home.folder)
        with self.output(arguments[0]).open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "clonepost", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**variables, **self.environment},
            )

    def output(self, command: str) -> Path:
        return self.folder / f"{command}.out"

    def succeeds(self, *arguments: str) -> str:
        code = self.command(*arguments).wait()
        said = self.output(arguments[0]).read_text()
        assert code == 0, said
        return said

    def fails(self, *arguments: str, code: int = 1) -> str:
        assert self.command(*arguments).wait() == code
        return self.output(arguments[0]).read_text()

    def status(self) -> dict[str, Any]:
        self.command("status", "--json").wait()
        shown: dict[str, Any] = json.loads(self.output("status").read_text())
        return shown

    def process(self, role: str) -> psutil.Process:
        state = self.home.read()
        assert state is not None
        (found,) = [find_process(one) for one in (*state.processes, state.supervisor) if one.role == role]
        assert found is not None, f"{role} does not run"
        return found

    def family(self) -> list[psutil.Process]:
        """Every process of the stack with all that it started."""
        members = [self.process(role) for role in (*EVERYTHING, "supervisor")]
        return [*members, *(child for member in members for child in member.children(recursive=True))]

    def answers(self) -> bool:
        state = self.home.read()
        if state is None or "http" not in state.addresses:
            return False
        try:
            return httpx.get(state.addresses["http"] + "/readyz").status_code == 200
        except httpx.HTTPError:
            return False


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Stack, Stack]]:
    """Two stacks that were started at the same moment, the first behind, the second in the foreground."""
    with tempfile.TemporaryDirectory(prefix="cp-") as folder:
        first, second = Stack(Path(folder) / "1"), Stack(Path(folder) / "2")
        for stack in (first, second):
            stack.folder.mkdir()
        detached = first.command("up", "--detach", "--no-demo")
        foreground = second.command("up", "--no-demo")
        try:
            assert detached.wait() == 0, first.output("up").read_text()
            eventually(second.answers, what="the second stack is up")
            yield first, second
        finally:
            for stack in (first, second):
                stack.command("down").wait()
            foreground.wait()


def test_every_process_and_address_of_both_is_shown_and_none_is_shared(pair: tuple[Stack, Stack]) -> None:
    shown = [stack.status() for stack in pair]
    for status in shown:
        assert {process["role"] for process in status["processes"]} == EVERYTHING
        assert {(process["state"], process["restarts"]) for process in status["processes"]} == {("running", 0)}
        assert set(status["addresses"]) == {"http", "kafka", "postgres"}
    first, second = ({*status["addresses"].values(), *pids(status)} for status in shown)
    assert not first & second


def test_a_home_has_one_stack(pair: tuple[Stack, Stack]) -> None:
    said = pair[0].fails("up", "--no-demo")
    assert f"a stack already runs in {pair[0].home.folder}" in " ".join(said.split())
    assert "clonepost down" in said
    assert pair[0].answers()


@pytest.mark.parametrize("role", ["dedup", "api", "postgres", "kafka"])
def test_what_is_killed_is_restarted(pair: tuple[Stack, Stack], role: str) -> None:
    stack, other = pair
    before = stack.process(role)
    before.kill()

    def restarted() -> bool:
        # The file that `status` shows: a command is a second of processor each time.
        state = stack.home.read()
        assert state is not None
        (process,) = [one for one in state.processes if one.role == role]
        return process.restarts == 1 and process.state == "running" and process.pid != before.pid

    eventually(restarted, what=f"{role} runs again")
    eventually(stack.answers, what="the stack is ready again")
    (shown,) = [one for one in stack.status()["processes"] if one["role"] == role]
    assert (shown["restarts"], shown["state"], shown["pid"]) == (1, "running", stack.process(role).pid)
    assert {process["restarts"] for process in other.status()["processes"]} == {0}


def test_roles_may_say_that_they_are_ready_any_number_of_times(pair: tuple[Stack, Stack]) -> None:
    # The kernel keeps about ten notices that nobody has read; a role that was restarted after those waited for ever.
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as role:
        role.settimeout(60)
        for _ in range(100):
            role.sendto(b"READY=1\nMAINPID=0\n", str(pair[0].home.socket_folder / "notify"))


def test_a_rolling_restart_replaces_every_role_and_nothing_else(pair: tuple[Stack, Stack]) -> None:
    stack, other = pair
    before, untouched = stack.status(), pids(other.status())
    assert "restarted every role" in stack.succeeds("restart")
    after = stack.status()
    assert after["addresses"] == before["addresses"]
    assert [one["role"] for one in after["processes"]] == [one["role"] for one in before["processes"]]
    for old, new in zip(before["processes"], after["processes"], strict=True):
        assert (new["pid"] == old["pid"]) == (new["role"] in ("kafka", "postgres")), new["role"]
        assert (new["state"], new["restarts"]) == ("running", old["restarts"])
    assert stack.answers()
    assert pids(other.status()) == untouched


def test_a_killed_supervisor_blocks_nothing_and_loses_nothing(pair: tuple[Stack, Stack]) -> None:
    stack, other = pair
    addresses = stack.status()["addresses"]
    with psycopg.connect(addresses["postgres"]) as connection:
        connection.execute("CREATE TABLE kept (value int)")
    topic = topic_id(addresses["kafka"])
    left_behind = stack.family()
    supervisor = stack.process("supervisor")
    supervisor.kill()
    eventually(lambda: not living([supervisor]), what="the supervisor has ended")
    stack.fails("status", code=3)
    assert "Its supervisor was killed" in stack.output("status").read_text()
    assert {process["state"] for process in stack.status()["processes"]} == {"orphaned"}

    stack.succeeds("up", "--detach", "--no-demo")

    assert not living(left_behind)
    again = stack.status()["addresses"]
    assert again == addresses
    assert topic_id(again["kafka"]) == topic
    with psycopg.connect(again["postgres"]) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
    assert other.answers()


def test_down_leaves_no_process_and_keeps_the_data(pair: tuple[Stack, Stack]) -> None:
    stack = pair[0]
    family = stack.family()
    assert "its data stays" in stack.succeeds("down")
    assert not living(family)
    assert stack.home.postgres.is_dir()
    assert "nothing runs" in stack.fails("status", code=3)
    assert "nothing runs" in stack.succeeds("down")
    assert "nothing runs" in stack.fails("restart", code=3)


def test_ctrl_c_leaves_no_process(pair: tuple[Stack, Stack]) -> None:
    stack = pair[1]
    family = stack.family()
    stack.process("supervisor").send_signal(signal.SIGINT)
    eventually(lambda: not living(family), what="every process has ended")
    assert "stopped" in stack.output("up").read_text()
    assert not stack.home.state_file.exists()


def pids(status: dict[str, Any]) -> set[int]:
    return {process["pid"] for process in status["processes"]}


def living(processes: list[psutil.Process]) -> list[psutil.Process]:
    alive = []
    for process in processes:
        try:
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                alive.append(process)
        except psutil.NoSuchProcess:
            continue
    return alive


def topic_id(bootstrap_servers: str) -> object:
    settings = settings_from({"KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers})
    return KafkaAdmin(settings).topic(REQUESTS.name).topic_id
