"""Redriving: each letter once an attempt, whatever dies in between; a record that fails again is the same case."""

import json
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from typer.testing import CliRunner

from clonepost.commands.dlq import app
from clonepost.deadletters.cases import Case, cases, read_letter
from clonepost.deadletters.redrive import Redriver, discard
from runtime.dead_letters import dead_letter
from runtime.errors import BrokerUnavailable, ClonepostError, Poison
from runtime.kafka_admin import KafkaAdmin
from runtime.publishing import Outgoing, Publisher, Publishing
from runtime.record import Record, header, raw_bytes
from runtime.settings import Settings
from runtime.tailing import tail
from schemas import headers
from schemas.topics import DEAD_LETTERS, REQUESTS, Topic
from storage import dead_letters
from storage.connection import Database
from tests.dedup.records import Read


class Desk:
    """A system's dead letters, and an operator's hands."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self.publisher = Publisher(settings)
        self.requests = settings.topic_prefix + REQUESTS.name

    def fail(self, *records: Record, reason: str = "UNDECODABLE", stage: str = "dedup") -> None:
        """Dead-letter these, as a stage does."""
        topic = self.settings.topic_prefix + DEAD_LETTERS.name
        why = Poison(reason, "not what it should be")
        self.publisher.publish([dead_letter(one, why, stage=stage, dead_letters_topic=topic) for one in records])

    def poison(self, count: int) -> list[Record]:
        """So many undecodable requests, in their topic."""
        key = str(uuid.uuid4()).encode()
        sent = [("ce_id", b"from the asker"), ("reply_to", b"3"), ("kept", b"as it came")]
        self.publisher.publish([Outgoing(self.requests, key, b"noise %d" % n, headers=sent) for n in range(count)])
        return [record for record in self.records(REQUESTS) if raw_bytes(record.key()) == key]

    def records(self, topic: Topic) -> list[Record]:
        name = self.settings.topic_prefix + topic.name
        partitions = topic.partitions
        return list(tail(self.settings, name, partitions=partitions, from_beginning=True, until_end=True))

    def cases(self) -> list[Case]:
        letters = [letter for record in self.records(DEAD_LETTERS) if (letter := read_letter(record)) is not None]
        with self.database.transaction() as connection:
            return cases(letters, dead_letters.actions(connection))

    def redrive(self, found: Sequence[Case], publisher: Publishing | None = None) -> None:
        admin = KafkaAdmin(self.settings)
        Redriver(self.settings, self.database, publisher or self.publisher, admin, "ops", "the codec is fixed").redrive(
            found
        )

    def redriven(self) -> list[Record]:
        return [record for record in self.records(REQUESTS) if header(record, headers.REDRIVE) is not None]


@pytest.fixture
def desk(settings: Settings, database: Database) -> Desk:
    return Desk(settings, database)


class Dying:
    """A publisher whose process dies before or after the records are in the log."""

    def __init__(self, publisher: Publishing, *, delivers: bool) -> None:
        self._publisher = publisher
        self._delivers = delivers

    def publish(self, records: Sequence[Outgoing]) -> None:
        if self._delivers:
            self._publisher.publish(records)
        raise BrokerUnavailable("died")


def test_a_redriven_record_is_the_one_that_failed(desk: Desk) -> None:
    (record,) = desk.poison(1)
    desk.fail(record)
    desk.redrive(desk.cases())
    (again,) = desk.redriven()
    assert (again.key(), again.value(), again.partition()) == (record.key(), record.value(), record.partition())
    assert header(again, "kept") == "as it came"
    assert header(again, headers.CE_ID) == "from the asker"
    assert header(again, headers.REPLY_TO) is None, "whoever waited for the reply has gone"
    assert header(again, headers.DEAD_LETTER_REASON) is None
    assert [case.state for case in desk.cases()] == ["redriven"]


@pytest.mark.parametrize("delivers", [False, True], ids=["before", "after"])
def test_a_redrive_that_died_around_its_publish_is_finished_by_the_next_and_doubles_nothing(
    desk: Desk, delivers: bool
) -> None:
    desk.fail(*desk.poison(3))
    with pytest.raises(BrokerUnavailable):
        desk.redrive(desk.cases(), Dying(desk.publisher, delivers=delivers))
    assert {case.state for case in desk.cases()} == {"redriving"}
    desk.redrive(desk.cases())
    assert {case.state for case in desk.cases()} == {"redriven"}
    assert len(desk.redriven()) == 3


def test_a_letter_without_its_record_is_not_sent_again(desk: Desk) -> None:
    desk.fail(Read(b"key", b"large" * 500_000, at_partition=3, at_offset=7))
    (case,) = desk.cases()
    assert (case.letter.key, case.letter.value, case.letter.whole) == (b"key", None, False)
    with pytest.raises(ClonepostError, match=r"clone\.requests\[3\] offset 7"):
        desk.redrive([case])
    assert desk.redriven() == []
    assert [case.state for case in desk.cases()] == ["open"]


def test_a_letter_that_a_crash_wrote_twice_is_one_case(desk: Desk) -> None:
    (record,) = desk.poison(1)
    desk.fail(record)
    desk.fail(record)
    assert len(desk.cases()) == 1


def test_what_fails_again_is_one_case_with_its_last_reason(desk: Desk) -> None:
    (record,) = desk.poison(1)
    desk.fail(record)
    for attempt in (1, 2):
        desk.redrive(desk.cases())
        desk.fail(desk.redriven()[-1], reason="WRONG_KEY")
        (case,) = desk.cases()
        assert (case.state, case.redrives, case.latest.reason) == ("open", attempt, "WRONG_KEY")
        assert case.letter.reason == "UNDECODABLE"
    assert len(desk.records(DEAD_LETTERS)) == 3


def test_a_header_that_claims_to_be_a_redrive_is_not_believed(desk: Desk) -> None:
    (record,) = desk.poison(1)
    desk.fail(record)
    (case,) = desk.cases()
    claim = [(headers.REDRIVE, f"{case.letter.letter_id}/1".encode())]
    desk.publisher.publish([Outgoing(desk.requests, b"forged", b"noise", headers=claim)])
    desk.fail(*(r for r in desk.records(REQUESTS) if r.key() == b"forged"))
    assert len(desk.cases()) == 2


def test_two_operators_do_not_redrive_one_letter_together(desk: Desk) -> None:
    desk.fail(*desk.poison(1))
    seen_by_both = desk.cases()
    desk.redrive(seen_by_both)
    with pytest.raises(ClonepostError, match="somebody else"):
        desk.redrive(seen_by_both)
    with pytest.raises(ClonepostError, match="somebody else"):
        discard(desk.database, seen_by_both, actor="ops", note=None)
    assert len(desk.redriven()) == 1


Dlq = Callable[..., Any]


@pytest.fixture
def dlq(desk: Desk, monkeypatch: pytest.MonkeyPatch, database_url: str) -> Dlq:
    """The command line, with --json where the command has it."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", desk.settings.bootstrap_servers)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("CLONEPOST_TOPIC_PREFIX", desk.settings.topic_prefix)

    def run(command: str, *arguments: str) -> Any:
        flags = [] if command == "show" else ["--json"]
        outcome = CliRunner().invoke(app, [command, *arguments, *flags], catch_exceptions=False)
        return json.loads(outcome.stdout)

    return run


def test_the_command_line_redrives_what_its_filters_take_up_to_its_limits(desk: Desk, dlq: Dlq) -> None:
    first, second = desk.poison(3), desk.poison(2)
    desk.fail(*first, reason="UNKNOWN_SCHEMA")
    desk.fail(*second, reason="WRONG_KEY", stage="project")
    key = (raw_bytes(second[0].key()) or b"").decode()
    assert len(dlq("list")) == 5
    assert len(dlq("list", "--key", key)) == len(dlq("list", "--stage", "project")) == 2
    assert dlq("list", "--until", "2026-01-01T00:00:00Z") == []
    assert len(dlq("list", "--since", "2026-01-01T00:00:00Z")) == 5
    plan = dlq("redrive", "--reason", "UNKNOWN_SCHEMA", "--cap", "2", "--dry-run")
    assert plan == {"redriven": 2, "dryRun": True, "reasons": {"dedup/UNKNOWN_SCHEMA": 2}, "skipped": {"cap": 1}}
    assert desk.redriven() == []
    assert dlq("redrive", "--reason", "UNKNOWN_SCHEMA", "--cap", "2")["redriven"] == 2
    assert dlq("redrive", "--reason", "UNKNOWN_SCHEMA")["redriven"] == 1
    assert dlq("redrive", "--reason", "UNKNOWN_SCHEMA")["redriven"] == 0
    desk.fail(*desk.redriven())
    assert dlq("redrive", "--reason", "UNDECODABLE", "--attempts", "1")["skipped"] == {"attemptLimit": 3}
    assert dlq("discard", "--reason", "UNDECODABLE", "--note", "a test client")["discarded"] == 3
    assert len(dlq("list")) == 2
    assert len(dlq("list", "--state", "discarded")) == 3


def test_show_says_why_where_from_and_what_was_done(desk: Desk, dlq: Dlq) -> None:
    (record,) = desk.poison(1)
    desk.fail(record)
    desk.redrive(desk.cases())
    (case,) = desk.cases()
    shown = dlq("show", str(case.letter.letter_id))
    assert (shown["topic"], shown["offset"]) == (record.topic(), record.offset())
    assert shown["valueHex"] == (raw_bytes(record.value()) or b"").hex()
    (again,) = desk.redriven()
    (action,) = shown["actions"]
    assert (action["kind"], action["by"], action["note"]) == ("redrive", "ops", "the codec is fixed")
    assert action["offset"] == again.offset()
