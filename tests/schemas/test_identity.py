"""Ids and the canonical request, against golden vectors that an implementer in any language can check."""

import json
import uuid
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.canonical import CloneRequest, Overrides, canonical_bytes, job_id
from schemas.ids import (
    ContainerId,
    InvalidId,
    JobId,
    LayerId,
    OrgId,
    ProjectId,
    event_id,
    format_id,
    parse_id,
    record_event_id,
    variation_id,
)

VECTORS: dict[str, Any] = json.loads((files("schemas") / "vectors" / "identity.json").read_text("utf-8"))


def request_of(fields: dict[str, Any]) -> CloneRequest:
    """The request that a vector describes."""
    overrides = fields.get("overrides") or {}
    layer = fields.get("projectLayerId")
    return CloneRequest(
        org_id=OrgId(uuid.UUID(fields["orgId"])),
        container_id=ContainerId(uuid.UUID(fields["containerId"])),
        project_id=ProjectId(uuid.UUID(fields["projectId"])),
        source=fields["sourcePlatformPostId"],
        project_layer_id=LayerId(uuid.UUID(layer)) if layer else None,
        mode=fields.get("mode", "fork"),
        variations=fields.get("variations", 1),
        overrides=Overrides(overrides.get("caption"), overrides.get("cta"), overrides.get("voiceOverScript")),
    )


@pytest.mark.parametrize("vector", VECTORS["requests"], ids=lambda vector: vector["what"])
def test_canonical_request_and_job_id(vector: dict[str, Any]) -> None:
    request = request_of(vector["request"])
    assert canonical_bytes(request).decode() == vector["canonical"]
    assert str(job_id(request)) == vector["jobId"]
    assert format_id("job", job_id(request)) == vector["shown"]


@pytest.mark.parametrize("vector", VECTORS["derived"], ids=lambda vector: vector["what"])
def test_derived_ids(vector: dict[str, Any]) -> None:
    job = JobId(uuid.UUID(vector["jobId"]))
    assert str(variation_id(job, vector["index"])) == vector["variationId"]
    assert str(event_id(job, "JobCompleted")) == vector["completedEventId"]
    place = vector["record"]
    rejected = record_event_id(uuid.UUID(place["topicId"]), place["partition"], place["offset"], "CloneRejected")
    assert str(rejected) == vector["rejectedEventId"]


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
