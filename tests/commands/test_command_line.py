"""Every command explains itself with an example; every expected failure is a line that says what to do."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

from clonepost import cli
from clonepost.commands.doctor import examine, processes
from clonepost.localstack.home import Home, ProcessState, StackState
from clonepost.roles import BY_NAME, ROLES
from runtime.publishing import Outgoing, Publisher
from runtime.settings import Settings
from schemas.topics import ALL_TOPICS

COMMANDS = {
    "up",
    "down",
    "status",
    "run",
    "tail",
    "reference",
    "restart",
    "keys",
    "credits",
    "dlq",
    "lag",
    "check",
    "doctor",
    "preview",
    "drill",
    "fuzz",
    "bench",
}
UNREACHABLE = {"DATABASE_URL": "postgresql://user:hunter2@127.0.0.1:1/none", "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture
def clonepost(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """Run the command line in an empty home."""
    for name in UNREACHABLE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLONEPOST_HOME", str(tmp_path))

    def run(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["clonepost", *arguments])
        code = 0
        try:
            cli.main()
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        captured = capfd.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in UNREACHABLE.items():
        monkeypatch.setenv(name, value)


def leaves() -> list[tuple[str, ...]]:
    """Every command by its words."""

    def under(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        names = command.list_commands(None) if hasattr(command, "list_commands") else None
        if names is None:
            yield words
            return
        for name in names:
            yield from under(command.get_command(None, name), (*words, name))

    return list(under(typer.main.get_command(cli.app), ()))


def test_the_commands_are_those_of_the_contract() -> None:
    assert {words[0] for words in leaves()} == COMMANDS


@pytest.mark.parametrize("words", leaves(), ids=" ".join)
def test_help_shows_an_example_of_the_command_itself(clonepost: Command, words: tuple[str, ...]) -> None:
    outcome = clonepost(*words, "--help")
    assert outcome.code == 0
    example = outcome.out.partition("Example:")[2]
    assert f"clonepost {' '.join(words)}" in " ".join(example.split())


@pytest.mark.parametrize("arguments", [("lag",), ("doctor",), ("tail", "clone.requests"), ("keys", "list")])
def test_without_a_stack_it_says_how_to_get_one(clonepost: Command, arguments: tuple[str, ...]) -> None:
    outcome = clonepost(*arguments)
    assert outcome.code == 1
    assert outcome.err.startswith("clonepost: no stack runs in ")
    assert "`clonepost up`" in outcome.err
    assert "--home" in outcome.err


def test_status_of_nothing(clonepost: Command) -> None:
    assert clonepost("status").code == 3
    outcome = clonepost("status", "--json")
    assert (outcome.code, json.loads(outcome.out)) == (3, {"processes": [], "addresses": {}})


def test_an_unknown_role_or_topic_is_answered_with_the_known_ones(clonepost: Command) -> None:
    role, topic = clonepost("run", "judge"), clonepost("tail", "clone.things")
    assert (role.code, topic.code) == (1, 1)
    assert all(name in role.err for name in BY_NAME)
    assert all(known.name in topic.err for known in ALL_TOPICS)


def test_a_bad_setting_is_named(clonepost: Command, unreachable: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLONEPOST_REPLY_WAIT_MS", "soon")
    outcome = clonepost("lag")
    assert outcome.code == 1
    assert outcome.err.startswith("clonepost: CLONEPOST_REPLY_WAIT_MS: ")


def test_a_kafka_setting_that_does_not_exist_is_named(
    clonepost: Command, unreachable: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_SASL_MECANISM", "PLAIN")
    outcome = clonepost("lag")
    assert outcome.code == 1
    assert 'No such configuration property: "sasl.mecanism"' in outcome.err


def test_a_database_that_does_not_answer_is_told_without_its_password(clonepost: Command, unreachable: None) -> None:
    outcome = clonepost("keys", "list")
    assert outcome.code == 1
    assert outcome.err.startswith("clonepost: postgres: ")
    assert "`clonepost doctor`" in outcome.err
    assert "hunter2" not in outcome.err + outcome.out


def test_doctor_names_what_does_not_answer(clonepost: Command, unreachable: None) -> None:
    outcome = clonepost("doctor", "--fix", "--json")
    assert outcome.code == 1
    wrong = json.loads(outcome.out)
    assert "127.0.0.1:1" in wrong["kafka"]
    assert "DATABASE_URL" in wrong["postgres"]
    assert wrong["topics"] == "cannot be tested before kafka is right"
    assert wrong["migrations"] == "cannot be tested before postgres is right"


def test_doctor_makes_no_check_whose_foundation_is_missing() -> None:
    made: list[str] = []

    def check(name: str, problem: str | None) -> Callable[[], str | None]:
        return lambda: (made.append(name), problem)[1]  # type: ignore[func-returns-value]

    checks = {"kafka": check("kafka", None), "topics": check("topics", "missing"), "lag": check("lag", None)}
    assert examine(checks) == {"kafka": None, "topics": "missing", "lag": "cannot be tested before topics is right"}
    assert made == ["kafka", "topics"]


def test_doctor_makes_topics_and_tables_and_is_then_content(
    clonepost: Command, kafka: str, database_url: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka)
    monkeypatch.setenv("CLONEPOST_TOPIC_PREFIX", topic_prefix)
    before = clonepost("doctor", "--json")
    assert before.code == 1
    assert "`clonepost doctor --fix`" in json.loads(before.out)["topics"]
    fixed = clonepost("doctor", "--fix", "--json")
    assert (fixed.code, set(json.loads(fixed.out).values())) == (0, {None}), fixed.out
    lag = clonepost("lag", "--json")
    assert json.loads(lag.out) == {"dedup": 0, "generate": 0, "project": 0}


def test_tail_shows_a_topic_to_its_end(
    clonepost: Command,
    kafka: str,
    topic_prefix: str,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:

    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka)
    monkeypatch.setenv("CLONEPOST_TOPIC_PREFIX", topic_prefix)
    Publisher(settings).publish([Outgoing(topic_prefix + "clone.requests", b"key", b"not a record")])
    outcome = clonepost("tail", "clone.requests", "--from-beginning", "--until-end")
    assert outcome.code == 0
    (line,) = outcome.out.splitlines()
    shown = json.loads(line)
    assert (shown["key"], shown["record"], shown["offset"]) == ("key", None, 0)


def test_a_role_without_settings_says_which(tmp_path: Path) -> None:
    variables = {name: value for name, value in os.environ.items() if name not in UNREACHABLE}
    # A role takes its process over, logs and signals: not ours.
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "clonepost", *role.arguments], env=variables, stderr=subprocess.PIPE, text=True
        )
        for role in ROLES
    ]
    for role, process in zip(ROLES, started, strict=True):
        _, said = process.communicate()
        assert process.returncode not in (0, None), role.name
        assert "is not set" in said, role.name
        assert "Traceback" not in said, role.name


def test_doctor_says_why_a_process_halted(tmp_path: Path) -> None:
    home = Home(tmp_path)
    halted = {"event": "role_halted", "reason": "too much poison: see `clonepost dlq list`"}
    home.logs.mkdir()
    (home.logs / "dedup.log").write_text("noise\n" + json.dumps(halted) + "\n[1]\n", "utf-8")
    running, restarting = ProcessState("api", 1, "running"), ProcessState("dedup", None, "restarting", 3)
    for state, expected in (
        ([running], None),
        ([running, restarting], f"dedup is restarting after 3 restarts: {halted['reason']}"),
        ([ProcessState("relay", None, "stopping")], f"relay is stopping after 0 restarts: see {home.logs}/relay.log"),
    ):
        home.write(StackState(ProcessState("supervisor"), state, ready=True))
        assert processes(home) == expected
