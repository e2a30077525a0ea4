"""The checker's own ids, records and judgement of shape agree with the contract's vectors and with the pipeline's."""

import json
import uuid
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.checker import identity
from bench.checker.avro import Undecodable, decode
from bench.checker.requests import asked
from bench.checker.snapshot import LogRecord
from consumers.dedup.intake import CloneQuestion, read_record
from runtime.errors import Poison
from schemas import codec
from schemas.events import EVENT_NAMES
from schemas.ids import format_id

VECTORS = json.loads((files("schemas") / "vectors" / "identity.json").read_text("utf-8"))


@pytest.mark.parametrize("vector", VECTORS["requests"], ids=lambda vector: vector["what"])
def test_job_ids_are_the_vectors(vector: dict[str, Any]) -> None:
    request = vector["request"]
    org, container = request["orgId"], request["containerId"]
    assert identity.canonical(org, container, request) == vector["canonical"]
    assert identity.job_id(org, container, request) == vector["jobId"]
    assert identity.shown("job", vector["jobId"]) == vector["shown"]
    assert identity.bare("job", vector["shown"]) == vector["jobId"]


@pytest.mark.parametrize("vector", VECTORS["derived"], ids=lambda vector: vector["what"])
def test_derived_ids_are_the_vectors(vector: dict[str, Any]) -> None:
    record = vector["record"]
    place = (record["topicId"], record["partition"], record["offset"])
    assert identity.variation_id(vector["jobId"], vector["index"]) == vector["variationId"]
    assert identity.job_event_id(vector["jobId"], "JobCompleted") == vector["completedEventId"]
    assert identity.record_event_id(*place, "CloneRejected") == vector["rejectedEventId"]


@given(st.uuids())
def test_ids_in_every_form_are_the_same_id(value: uuid.UUID) -> None:
    forms = [str(value), str(value).upper(), f"org_{value}", format_id("org", value), format_id("org", value).lower()]
    assert {identity.bare("org", form) for form in forms} == {str(value)}


FRAMES = st.sampled_from([b"", *(b"\xc3\x01" + codec.fingerprint_of(codec.schema_json(name)) for name in EVENT_NAMES)])


@given(st.builds(lambda frame, body: frame + body, FRAMES, st.binary(max_size=60)))
def test_any_bytes_are_decoded_as_the_pipeline_does(value: bytes) -> None:
    try:
        wanted: Any = codec.decode(value, frozenset(EVENT_NAMES))
    except codec.UndecodableRecord:
        with pytest.raises(Undecodable):
            decode(value)
    else:
        assert decode(value) == (wanted.name, wanted.record)


IDS = st.sampled_from(["11111111-1111-4111-8111-111111111111", "acme", "org_11111111-1111-4111-8111-111111111111", ""])
TEXTS = st.sampled_from(["", "x", "7301", "a\x00b", "ü" * 120, "y" * 121, "z" * 128, "w" * 129, "v" * 2_201])
TIMES = st.sampled_from([-1, 0, 1_795_000_000_000, 253_402_300_799_999, 253_402_300_800_000])
CLONES = st.fixed_dictionaries(
    {
        "orgId": IDS,
        "containerId": st.sampled_from(["22222222-2222-4222-8222-222222222222", "22222222", "cnt_x"]),
        "projectId": IDS.map(lambda text: text.replace("org_", "proj_")),
        "projectLayerId": st.none() | IDS,
        "sourcePlatformPostId": TEXTS,
        "mode": st.sampled_from(["fork", "reimagine"]),
        "variations": st.integers(-1, 12),
        "overrides": st.none()
        | st.fixed_dictionaries({name: st.none() | TEXTS for name in ("caption", "cta", "voiceOverScript")}),
        "requestedBy": TEXTS,
        "requestedAt": TIMES,
        "idempotencyKey": st.none() | TEXTS,
        "deadlineAt": st.none() | TIMES,
    }
)


@given(CLONES, st.sampled_from(["right", "wrong", "upper"]))
def test_requests_are_judged_as_the_pipeline_does(fields: dict[str, Any], key: str) -> None:
    keys = {"right": fields["containerId"], "wrong": "x", "upper": fields["containerId"].upper() + "X"}
    record = LogRecord(0, 7, keys[key].encode(), codec.encode("CloneRequested", fields))
    one = asked(record)
    try:
        question = read_record(_Message(record))  # type: ignore[arg-type]  # the parts of a message that it reads
    except Poison:
        assert one.kind == "poison"
        return
    assert isinstance(question, CloneQuestion)
    assert (one.kind, one.container) == ("clone", str(question.container_id))
    assert one.org == (None if question.org_id is None else str(question.org_id))
    assert one.job == (None if question.request is None else str(question.job_id))


class _Message:
    """A record as the pipeline's client hands it over."""

    def __init__(self, record: LogRecord) -> None:
        self._record = record

    def key(self) -> bytes | None:
        return self._record.key

    def value(self) -> bytes | None:
        return self._record.value

    def headers(self) -> list[tuple[str, bytes]]:
        return list(self._record.headers)

    def set_headers(self, headers: list[tuple[str, str | bytes | None]]) -> None:
        raise AssertionError("these can be read")

    def partition(self) -> int:
        return self._record.partition

    def offset(self) -> int:
        return self._record.offset
