"""The .avsc files, the typed dictionaries and the bytes agree."""

import uuid
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import codec, events
from schemas.events import EVENT_NAMES, EventName
from schemas.topics import ALL_TOPICS, REQUESTS


def sample(schema: Any) -> Any:
    """A value of a schema: every nullable field filled, so that every branch is written."""
    if isinstance(schema, list):
        return sample(schema[1])
    if isinstance(schema, str):
        return {"string": str(uuid.UUID(int=7)), "int": 3, "long": 1_795_000_000_000}[schema]
    if schema["type"] == "record":
        return {field["name"]: sample(field["type"]) for field in schema["fields"]}
    if schema["type"] == "enum":
        return schema["symbols"][-1]
    return [sample(schema["items"])] * 2


@pytest.mark.parametrize("name", EVENT_NAMES)
def test_a_record_comes_back_as_it_was_written(name: EventName) -> None:
    record = sample(codec.schema_json(name))
    decoded = codec.decode(codec.encode(name, record), frozenset({name}))
    assert (decoded.name, decoded.record) == (name, record)


@pytest.mark.parametrize("name", EVENT_NAMES)
def test_the_typed_dictionary_has_the_schema_s_fields(name: EventName) -> None:
    fields = [field["name"] for field in codec.schema_json(name)["fields"]]
    assert list(get_type_hints(getattr(events, name))) == fields


@pytest.mark.parametrize("name", EVENT_NAMES)
def test_everything_is_documented(name: EventName) -> None:
    def undocumented(schema: Any) -> list[str]:
        if isinstance(schema, list):
            return [found for part in schema for found in undocumented(part)]
        if not isinstance(schema, dict):
            return []
        missing = [schema.get("name", "?")] if schema["type"] in ("record", "enum") and not schema.get("doc") else []
        for field in schema.get("fields", ()):
            missing += [] if field.get("doc") else [field["name"]]
            missing += undocumented(field["type"])
        return missing + undocumented(schema.get("items"))

    assert undocumented(codec.schema_json(name)) == []


def test_every_topic_record_exists_and_every_record_has_a_topic() -> None:
    assert set().union(*(topic.records for topic in ALL_TOPICS)) == set(EVENT_NAMES)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_record_or_undecodable(data: bytes) -> None:
    _decodes_or_refuses(data)


@given(st.binary(max_size=300), st.sampled_from(EVENT_NAMES))
def test_any_body_behind_a_known_fingerprint_is_a_record_or_undecodable(body: bytes, name: EventName) -> None:
    _decodes_or_refuses(codec.encode(name, sample(codec.schema_json(name)))[:10] + body)


@given(st.data())
def test_truncated_or_extended_records_are_refused(data: st.DataObject) -> None:
    whole = codec.encode("CloneRequested", sample(codec.schema_json("CloneRequested")))
    cut = data.draw(st.integers(0, len(whole) - 1))
    for broken in (whole[:cut], whole + b"\x00"):
        with pytest.raises(codec.UndecodableRecord):
            codec.decode(broken, REQUESTS.records)


def _decodes_or_refuses(data: bytes) -> None:
    try:
        decoded = codec.decode(data, frozenset(EVENT_NAMES))
    except codec.UndecodableRecord:
        return
    else:
        assert decoded.name in EVENT_NAMES
