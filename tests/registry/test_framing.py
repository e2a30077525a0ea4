"""The exchange of the two framings. Pure."""

import pytest

from clonepost.deadletters.cases import read_letter
from runtime.dead_letters import dead_letter
from runtime.errors import Poison, RegistryUnavailable
from runtime.framing import Framing
from runtime.publishing import on_the_wire
from schemas import codec
from schemas.events import EVENT_NAMES, EventName
from schemas.example_records import examples
from tests.dedup.records import Read

REPLY = examples("CloneReply")[0].single_object
IDS = {codec.fingerprint_of(codec.schema_json(name)): number for number, name in enumerate(EVENT_NAMES, 2**31)}


class Asked:
    """A registry's answers, and what it was asked for."""

    def __init__(self, answers: dict[int, bytes | None]) -> None:
        self.answers = answers
        self.ids: list[int] = []

    def __call__(self, number: int) -> bytes | None:
        self.ids.append(number)
        if number not in self.answers:
            raise RegistryUnavailable("nobody answers")
        return self.answers[number]


@pytest.mark.parametrize("name", EVENT_NAMES)
def test_a_record_goes_out_with_its_id_and_comes_in_as_it_was(name: EventName) -> None:
    asked = Asked({})
    framing = Framing(IDS, asked)
    for example in examples(name):
        sent = framing.outgoing(example.single_object)
        assert sent is not None
        assert (sent[0], int.from_bytes(sent[1:5], "big")) == (0, IDS[example.single_object[2:10]])
        assert sent[5:] == example.single_object[10:]
        assert framing.incoming(sent) == example.single_object
    assert asked.ids == []


@pytest.mark.parametrize("value", [None, b"", b"\xc3", b"{}", b"\x00\x00\x00\x01", REPLY[:9], b"\xc3\x01" + b"x" * 20])
def test_what_is_neither_stays_as_it_is(value: bytes | None) -> None:
    framing = Framing(IDS, Asked({}))
    assert framing.outgoing(value) == value
    assert framing.incoming(value) == value


def test_a_single_object_is_read_as_before() -> None:
    assert Framing(IDS, Asked({})).incoming(REPLY) == REPLY


def test_an_id_is_learnt_once_and_one_that_is_missing_may_come() -> None:
    asked = Asked({7: REPLY[2:10], 8: None})
    framing = Framing({}, asked)
    ours, foreign = b"\x00\x00\x00\x00\x07" + REPLY[10:], b"\x00\x00\x00\x00\x08" + REPLY[10:]
    for _ in range(3):
        assert framing.incoming(ours) == REPLY
        assert framing.incoming(foreign) == foreign
    assert asked.ids == [7, 8, 8, 8]
    with pytest.raises(codec.UndecodableRecord) as poison:
        codec.decode(framing.incoming(foreign), frozenset({"CloneReply"}))
    assert poison.value.reason == "UNKNOWN_SCHEMA_ID"


def test_a_silent_registry_is_not_asked_for_every_record() -> None:
    asked = Asked({})
    framing = Framing({}, asked)
    for number in range(20):
        with pytest.raises(RegistryUnavailable):
            framing.incoming(b"\x00\x00\x00\x00" + bytes([number]))
    assert asked.ids == [0]


def test_a_dead_letter_has_the_bytes_as_they_stood_in_the_topic() -> None:
    framing = Framing(IDS, Asked({}))
    for value in (framing.outgoing(REPLY), REPLY, b"\x00junk"):
        read = framing.record(Read(b"k", value))
        letter = dead_letter(read, Poison("WRONG_KEY", "…"), stage="dedup", dead_letters_topic="clone.dead-letters")
        assert on_the_wire(letter, framing) == value


def test_a_letter_in_the_wire_format_can_be_read_and_keeps_its_bytes() -> None:
    framing = Framing(IDS, Asked({}))
    value = framing.outgoing(REPLY)
    poison = framing.record(Read(b"k", value))
    sent = dead_letter(poison, Poison("WRONG_KEY", "…"), stage="dedup", dead_letters_topic="clone.dead-letters")
    record = Read(sent.key, sent.value, tuple(sent.headers))
    with_registry, without = read_letter(record, framing), read_letter(record)
    assert with_registry is not None
    assert without is not None
    assert with_registry.value == without.value == value
    assert with_registry.fields == codec.decode(REPLY, frozenset({"CloneReply"})).record
    assert without.fields is None
