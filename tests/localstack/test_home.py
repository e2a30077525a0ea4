"""The home folder: a state file that is whole or absent, and processes that are never mistaken for others."""

import os
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from clonepost.localstack.home import Home, ProcessState, StackState, find_process, home_at


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def me() -> ProcessState:
    process = psutil.Process()
    return ProcessState("test", process.pid, "running", 2, process.create_time())


def test_state_reads_as_it_was_written(home: Home, me: ProcessState) -> None:
    state = StackState(me, [ProcessState("kafka"), me], {"http": "http://127.0.0.1:1"}, ready=True)
    home.write(state)
    assert home.read() == state
    assert [file.name for file in home.folder.iterdir()] == ["state.json"]


def test_state_is_for_its_owner_alone(home: Home, me: ProcessState) -> None:
    home.write(StackState(me, addresses={"postgres": "postgresql://u:secret@host/db"}))
    assert home.state_file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"supervisor": {}}', '{"supervisor": {"pid": 1}, "ready": 1}']
)
def test_state_that_cannot_be_read_is_no_state(home: Home, text: str) -> None:
    home.state_file.write_text(text)
    assert home.read() is None


def test_a_process_is_found_by_pid_and_birth(me: ProcessState) -> None:
    found = find_process(me)
    assert found is not None
    assert found.pid == os.getpid()


def test_a_later_owner_of_a_pid_is_another_process(me: ProcessState) -> None:
    assert me.created is not None
    assert find_process(replace(me, created=me.created - 60)) is None


@pytest.mark.parametrize("state", [ProcessState("a"), ProcessState("a", pid=2**22 + 1, created=1.0)])
def test_what_never_ran_or_is_gone_is_not_found(state: ProcessState) -> None:
    assert find_process(state) is None


def test_a_socket_fits_however_long_the_homes_path_is(tmp_path: Path) -> None:
    short, long = Home(Path("/h")), Home(tmp_path / ("x" * 100))
    assert short.socket_folder == Path("/h/run")
    assert len(str(long.socket_folder / ".s.PGSQL.5432.lock")) < 107
    assert long.socket_folder != Home(tmp_path / ("y" * 100)).socket_folder


def test_a_home_keeps_its_identity_and_ports(home: Home, tmp_path: Path) -> None:
    other = Home(tmp_path / "other")
    other.folder.mkdir()
    assert home.identity() == home.identity() != other.identity()
    assert home.ports() == {}
    home.remember_ports({"http": 8081})
    assert home.ports() == {"http": 8081}
    (home.folder / "ports.json").write_text("{")
    assert home.ports() == {}


def test_the_home_is_the_option_else_the_variable_else_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("CLONEPOST_HOME", raising=False)
    assert home_at(None).folder == tmp_path / ".clonepost"
    monkeypatch.setenv("CLONEPOST_HOME", str(tmp_path / "variable"))
    assert home_at(None).folder == tmp_path / "variable"
    assert home_at(tmp_path / "option").folder == tmp_path / "option"
