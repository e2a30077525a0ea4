"""Which records are poison, and what a well-framed record is read as. Pure."""

import uuid
from typing import Any

import pytest

from consumers.dedup.intake import CancelQuestion, CloneQuestion, read_record
from runtime.errors import Poison
from schemas import codec
from tests.dedup.records import Read, cancel_of, clone, clone_fields, encoded, job_of
from tests.dedup.world import Project

_PROJECT = Project(uuid.uuid4(), uuid.uuid4(), uuid.uuid4(), uuid.uuid4())
_TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def _good() -> Read:
    return clone(_PROJECT)


def _with_value(value: bytes | None) -> Read:
    good = _good()
    return Read(good.key_bytes, value)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (_with_value(None), "TOMBSTONE"),
        (_with_value(b""), "UNKNOWN_FRAMING"),
        (_with_value(b'{"containerId": "x"}'), "UNKNOWN_FRAMING"),
        (_with_value(b"\xc3\x01" + b"\x00" * 8), "UNKNOWN_SCHEMA"),
        (_with_value((_good().value_bytes or b"")[:-3]), "UNDECODABLE"),
        (_with_value((_good().value_bytes or b"") + b"\x00"), "TRAILING_BYTES"),
        (_with_value(b"\xc3\x01" + b"\x00" * 1_048_577), "TOO_LARGE"),
        (
            _with_value(codec.encode("VariationsFinished", {"jobId": str(uuid.uuid4()), "indexes": []})),
            "WRONG_RECORD",
        ),
        (encoded("CloneRequested", clone_fields(_PROJECT, containerId="not-a-uuid")), "BAD_CONTAINER_ID"),
        (encoded("CloneRequested", clone_fields(_PROJECT, containerId=uuid.uuid4().hex)), "BAD_CONTAINER_ID"),
        (Read(str(uuid.uuid4()).encode(), _good().value_bytes), "WRONG_KEY"),
        (Read(None, _good().value_bytes), "WRONG_KEY"),
        (_good().with_headers(ce_type="clonepost.events.CloneCancelRequested"), "WRONG_TYPE"),
        (cancel_of(_good()).with_headers(ce_type="clonepost.events.CloneRequested"), "WRONG_TYPE"),
    ],
)
def test_a_record_that_nobody_could_be_answered_about_is_poison(record: Read, reason: str) -> None:
    with pytest.raises(Poison) as poison:
        read_record(record)
    assert poison.value.reason == reason


def test_the_key_is_lower_case_whatever_the_record_writes() -> None:
    fields = clone_fields(_PROJECT)
    fields["containerId"] = fields["containerId"].upper()
    value = codec.encode("CloneRequested", fields)
    assert read_record(Read(fields["containerId"].lower().encode(), value)).container_id
    with pytest.raises(Poison):
        read_record(Read(fields["containerId"].encode(), value))


def test_one_request_has_one_job_id_however_it_is_written() -> None:
    plain = clone_fields(_PROJECT)
    written = {**plain, "orgId": plain["orgId"].upper(), "overrides": {"caption": None, "cta": None}}
    written["overrides"]["voiceOverScript"] = None  # type: ignore[index]  # a dict, made just above
    one, other = (read_record(encoded("CloneRequested", fields)) for fields in (plain, written))
    assert one.job_id == other.job_id
    assert read_record(encoded("CloneRequested", {**plain, "variations": 2})).job_id != one.job_id


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"orgId": "acme"}, "orgId"),
        ({"projectId": "x"}, "projectId"),
        ({"projectLayerId": "proj_" + str(uuid.uuid4())}, "projectLayerId"),
        ({"sourcePlatformPostId": ""}, "sourcePlatformPostId"),
        ({"sourcePlatformPostId": "7" * 129}, "sourcePlatformPostId"),
        ({"variations": 0}, "variations"),
        ({"variations": 11}, "variations"),
        ({"variations": 2_000_000_000}, "variations"),
        ({"overrides": {"caption": "c" * 2_201, "cta": None, "voiceOverScript": None}}, "overrides.caption"),
        ({"overrides": {"caption": None, "cta": "\x00", "voiceOverScript": None}}, "overrides.cta"),
        ({"requestedBy": ""}, "requestedBy"),
        ({"requestedAt": -1}, "requestedAt"),
        ({"deadlineAt": 2**62}, "deadlineAt"),
        ({"idempotencyKey": ""}, "idempotencyKey"),
        ({"idempotencyKey": "k" * 256}, "idempotencyKey"),
    ],
)
def test_every_other_fault_is_a_question_that_names_the_field(changes: dict[str, Any], field: str) -> None:
    question = read_record(clone(_PROJECT, **changes))
    assert isinstance(question, CloneQuestion)
    assert question.request is None
    assert [problem.field for problem in question.problems] == [field]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"orgId": "acme"}, "orgId"),
        ({"jobId": "soon"}, "jobId"),
        ({"requestedBy": "b" * 201}, "requestedBy"),
        ({"reason": "r" * 501}, "reason"),
        ({"reason": "\x00"}, "reason"),
        ({"requestedAt": -1}, "requestedAt"),
    ],
)
def test_a_malformed_cancel_is_a_question_that_names_the_field(changes: dict[str, Any], field: str) -> None:
    question = read_record(cancel_of(_good(), **changes))
    assert isinstance(question, CancelQuestion)
    assert [problem.field for problem in question.problems] == [field]


def test_a_malformed_request_never_has_the_id_of_a_real_job() -> None:
    request = _good()
    malformed = read_record(clone(_PROJECT, variations=11))
    assert malformed.job_id != job_of(request)
    assert (
        malformed.job_id == read_record(Read(*_bytes_of(clone(_PROJECT, malformed.container_id, variations=11)))).job_id
    )


def _bytes_of(record: Read) -> tuple[bytes | None, bytes | None]:
    return record.key_bytes, record.value_bytes


@pytest.mark.parametrize(
    ("reply_to", "partition"),
    [
        ("0", 0),
        ("15", 15),
        ("9999", 9999),
        ("10000", None),
        ("-1", None),
        ("", None),
        ("1e1", None),
        ("٣", None),
        ("9" * 5_000, None),
    ],
)
def test_only_a_number_can_name_a_partition_of_the_replies(reply_to: str, partition: int | None) -> None:
    assert read_record(_good().asking(reply_to)).asker.reply_partition == partition


@pytest.mark.parametrize("request_id", ["", "r" * 256])
def test_an_asker_without_a_usable_request_id_gets_no_reply(request_id: str) -> None:
    record = _good().with_headers(reply_to="3", ce_id=request_id)
    assert read_record(record).asker.reply_partition is None


@pytest.mark.parametrize(("sent", "kept"), [(_TRACEPARENT, _TRACEPARENT), ("00-junk", None)])
def test_only_a_well_formed_traceparent_is_passed_on(sent: str, kept: str | None) -> None:
    assert read_record(_good().with_headers(traceparent=sent)).asker.traceparent == kept
