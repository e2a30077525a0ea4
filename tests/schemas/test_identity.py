"""Ids and the canonical request, against golden vectors that an implementer in any language can check."""

import json
import pickle
import shutil
import subprocess
import uuid
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.canonical import (
    MODES,
    CloneRequest,
    Mode,
    Overrides,
    canonical_bytes,
    job_id,
    job_id_of_canonical,
)
from schemas.ids import (
    ContainerId,
    InvalidId,
    JobId,
    LayerId,
    OrgId,
    ProjectId,
    event_id,
    event_id_text,
    format_id,
    new_request_id,
    parse_id,
    record_event_id,
    variation_id,
    variation_id_text,
)
from schemas.request_rules import request_from_body, request_from_event
from schemas.strict_json import parse_strict

VECTORS: dict[str, Any] = json.loads((files("schemas") / "vectors" / "identity.json").read_text("utf-8"))


def request_of(fields: dict[str, Any]) -> CloneRequest:
    """The request that a vector describes, as HTTP reads it."""
    body = {name: value for name, value in fields.items() if name not in ("orgId", "containerId")}
    return request_from_body(OrgId(parse_id("org", fields["orgId"])), fields["containerId"], body)


def event_of(fields: dict[str, Any]) -> CloneRequest:
    """The same as Kafka brings it."""
    optional: dict[str, Any] = {"projectLayerId": None, "overrides": None, "idempotencyKey": None, "deadlineAt": None}
    asked: dict[str, Any] = {"requestedBy": "test", "requestedAt": 0, **fields}
    record: Any = {
        **optional,
        **asked,
        "mode": fields.get("mode") or "fork",
        "variations": fields.get("variations") or 1,
    }
    return request_from_event(record)


@pytest.mark.parametrize("vector", VECTORS["requests"], ids=lambda vector: vector["what"])
def test_canonical_request_and_job_id(vector: dict[str, Any]) -> None:
    for request in (request_of(vector["request"]), event_of(vector["request"])):
        assert canonical_bytes(request).decode() == vector["canonical"]
        assert str(job_id(request)) == vector["jobId"]
        assert format_id("job", job_id(request)) == vector["shown"]


@pytest.mark.parametrize("vector", VECTORS["bodies"], ids=lambda vector: vector["what"])
def test_bodies_that_are_one_request(vector: dict[str, Any]) -> None:
    for text in vector["texts"]:
        fields = {"orgId": vector["orgId"], "containerId": vector["containerId"], **parse_strict(text.encode())}
        assert str(job_id(request_of(fields))) == vector["jobId"]


@pytest.mark.parametrize("vector", VECTORS["ids"], ids=lambda vector: repr(vector["text"]))
def test_forms_of_ids(vector: dict[str, Any]) -> None:
    if vector["uuid"] is None:
        with pytest.raises(InvalidId):
            parse_id(vector["prefix"], vector["text"])
    else:
        assert str(parse_id(vector["prefix"], vector["text"])) == vector["uuid"]
        assert format_id(vector["prefix"], uuid.UUID(vector["uuid"])) == vector["shown"]


def test_different_requests_have_different_jobs() -> None:
    jobs: dict[str, str] = {}
    for vector in VECTORS["requests"]:
        assert jobs.setdefault(vector["jobId"], vector["canonical"]) == vector["canonical"]
    assert len(jobs) > 20


def test_an_implementation_in_another_language_agrees() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("NOT TESTED: no Node here to run the second implementation, tests/schemas/identity.mjs")
    vectors = str(files("schemas") / "vectors" / "identity.json")
    script = str(Path(__file__).parent / "identity.mjs")
    ran = subprocess.run([node, script, vectors], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    expected = len(VECTORS["ids"]) + sum(vector["uuid"] is not None for vector in VECTORS["ids"])
    expected += 3 * (len(VECTORS["requests"]) + len(VECTORS["derived"]))
    expected += sum(len(vector["texts"]) for vector in VECTORS["bodies"])
    assert ran.stdout == f"{expected} checked, 0 wrong\n"


@pytest.mark.parametrize("vector", VECTORS["derived"], ids=lambda vector: vector["what"])
def test_derived_ids(vector: dict[str, Any]) -> None:
    job = JobId(uuid.UUID(vector["jobId"]))
    assert str(variation_id(job, vector["index"])) == variation_id_text(job, vector["index"]) == vector["variationId"]
    assert str(event_id(job, "JobCompleted")) == event_id_text(job, "JobCompleted") == vector["completedEventId"]
    place = vector["record"]
    rejected = record_event_id(uuid.UUID(place["topicId"]), place["partition"], place["offset"], "CloneRejected")
    assert str(rejected) == vector["rejectedEventId"]


_texts = st.none() | st.text(max_size=20)


@given(
    ids=st.tuples(st.uuids(), st.uuids(), st.uuids()),
    layer=st.none() | st.uuids(),
    source=st.text(min_size=1, max_size=20),
    mode=st.sampled_from(MODES),
    variations=st.integers(1, 10),
    overrides=st.builds(Overrides, _texts, _texts, _texts),
)
def test_the_canonical_form_is_what_a_json_library_writes(
    ids: tuple[uuid.UUID, uuid.UUID, uuid.UUID],
    layer: uuid.UUID | None,
    source: str,
    mode: Mode,
    variations: int,
    overrides: Overrides,
) -> None:
    request = CloneRequest(
        org_id=OrgId(ids[0]),
        container_id=ContainerId(ids[1]),
        project_id=ProjectId(ids[2]),
        source=source,
        project_layer_id=None if layer is None else LayerId(layer),
        mode=mode,
        variations=variations,
        overrides=overrides,
    )
    texts = {"caption": overrides.caption, "cta": overrides.cta, "voiceOverScript": overrides.voice_over_script}
    fields: dict[str, Any] = {
        "containerId": str(ids[1]),
        "orgId": str(ids[0]),
        "projectId": str(ids[2]),
        "sourcePlatformPostId": source,
        "projectLayerId": None if layer is None else str(layer),
        "mode": None if mode == "fork" else mode,
        "variations": None if variations == 1 else variations,
        "overrides": {name: text for name, text in texts.items() if text is not None} or None,
    }
    present = {name: value for name, value in fields.items() if value is not None}
    written = json.dumps(present, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical_bytes(request) == written.encode()


@given(st.uuids())
def test_ids_that_are_read_are_uuids_like_any_other(value: uuid.UUID) -> None:
    read = parse_id("cnt", str(value))
    assert type(read) is uuid.UUID
    assert (read, hash(read), str(read), read.is_safe) == (value, hash(value), str(value), value.is_safe)
    assert pickle.loads(pickle.dumps(read)) == value
    assert {slot: getattr(read, slot) for slot in ("int", "is_safe")} == {
        slot: getattr(value, slot) for slot in uuid.UUID.__slots__ if slot != "__weakref__"
    }


def test_request_ids_are_random_uuids_and_job_ids_of_version_8() -> None:
    ids = [new_request_id() for _ in range(1_000)]
    assert len(set(ids)) == len(ids)
    assert {(one.version, one.variant) for one in ids} == {(4, uuid.RFC_4122)}
    assert {job_id_of_canonical(b"%d" % n).version for n in range(100)} == {8}


@given(st.uuids())
def test_every_form_is_read_in_either_case(value: uuid.UUID) -> None:
    shown = format_id("cnt", value)
    for text in (str(value), str(value).upper(), shown, shown.lower(), f"cnt_{value}", f"CNT_{value}"):
        assert parse_id("cnt", text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cnt_",
        "job_00000000000000000000000000",
        "cnt_80000000000000000000000000",
        "cnt_0000000000000000000000000U",
        "{00000000-0000-0000-0000-000000000000}",
        "00000000000000000000000000000000",
        "00000000000000000000000000",
    ],
)
def test_other_texts_are_no_ids(text: str) -> None:
    with pytest.raises(InvalidId):
        parse_id("cnt", text)
