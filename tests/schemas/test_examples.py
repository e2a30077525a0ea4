"""Every record has examples, every example is a record, and the bytes in it are the bytes of it."""

import io
import json
import uuid
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import avro.io
import avro.schema
import pytest

from schemas import codec
from schemas.canonical import job_id
from schemas.events import EVENT_NAMES, EventName
from schemas.example_records import Example, examples
from schemas.ids import JobId, event_id, record_event_id, variation_id
from schemas.request_rules import request_from_event

FOLDER = Path(str(files("schemas") / "examples"))
ALL = [(name, example) for name in EVENT_NAMES for example in examples(name)]
each_example = pytest.mark.parametrize(
    ("name", "example"), ALL, ids=[f"{name}-{example.name}" for name, example in ALL]
)


def test_every_record_has_examples_and_every_example_has_a_record() -> None:
    assert {entry.name for entry in FOLDER.iterdir() if entry.is_dir()} == set(EVENT_NAMES)
    for name in EVENT_NAMES:
        assert {example.name for example in examples(name)} >= {"minimal", "full", "edge"}, name
    assert {file.suffix for file in FOLDER.glob("*/*")} == {".json"}


@each_example
def test_an_example_encodes_to_its_bytes_and_back(name: EventName, example: Example) -> None:
    assert example.about
    assert codec.encode(name, example.record) == example.single_object
    decoded = codec.decode(example.single_object, frozenset({name}))
    assert (decoded.name, decoded.record) == (name, example.record)


@each_example
def test_the_reference_implementation_reads_the_same(name: EventName, example: Example) -> None:
    schema = avro.schema.parse(json.dumps(codec.schema_json(name)))
    body = io.BytesIO(example.single_object[10:])
    reader = avro.io.DatumReader(schema)
    record = reader.read(avro.io.BinaryDecoder(body))
    assert record == example.record
    assert body.read() == b""


@pytest.mark.parametrize("name", EVENT_NAMES)
def test_the_examples_of_a_record_show_every_branch(name: EventName) -> None:
    shown = {found for example in examples(name) for found in branches(codec.schema_json(name), example.record, "")}
    # A canceled variation makes its job canceled: the symbol is there for readers of the status alone.
    never = {".variations[].status=canceled"} if name == "JobCompleted" else set()
    assert all_branches(codec.schema_json(name), "") - shown == never


def test_the_ids_of_the_examples_follow_from_their_requests() -> None:
    requests = [example.record for example in examples("CloneRequested")]
    jobs = {request["containerId"]: job_id(request_from_event(request)) for request in requests}  # type: ignore[arg-type]
    topic = uuid.UUID("0195e0a0-0000-7000-8000-000000000001")
    of_a_record = {str(record_event_id(topic, *place)) for place in places()}
    for name, example in ALL:
        record = example.record
        job = jobs.get(record.get("containerId", ""))
        if "eventId" in record and job is not None:
            assert record["eventId"] in of_a_record | {str(event_id(job, name))}, (name, example.name)
        for variation in record.get("variations", []) if name == "JobCompleted" else []:
            assert job is not None
            assert variation["variationId"] == str(variation_id(JobId(job), variation["index"]))


def places() -> Iterator[tuple[int, int, str]]:
    """The records of clone.requests that the refusals among the examples answer."""
    yield from ((0, 42, "CloneRejected"), (1, 43, "CloneRejected"), (5, 2**40, "CloneRejected"))
    yield from ((0, 44, "CancelRejected"), (1, 45, "CancelRejected"), (5, 46, "CancelRejected"))


def branches(schema: Any, value: Any, path: str) -> Iterator[str]:
    """What of a schema a value uses: null and not null of each union, each symbol, each record of an array."""
    if isinstance(schema, list):
        yield f"{path}={'null' if value is None else 'value'}"
        if value is not None:
            yield from branches(schema[1], value, path)
    elif isinstance(schema, dict) and schema["type"] == "enum":
        yield f"{path}={value}"
    elif isinstance(schema, dict) and schema["type"] == "array":
        for item in value:
            yield from branches(schema["items"], item, f"{path}[]")
    elif isinstance(schema, dict):
        for field in schema["fields"]:
            yield from branches(field["type"], value[field["name"]], f"{path}.{field['name']}")


def all_branches(schema: Any, path: str) -> set[str]:
    """Everything that `branches` could find."""
    if isinstance(schema, list):
        return {f"{path}=null", f"{path}=value"} | all_branches(schema[1], path)
    if not isinstance(schema, dict):
        return set()
    if schema["type"] == "enum":
        return {f"{path}={symbol}" for symbol in schema["symbols"]}
    if schema["type"] == "array":
        return all_branches(schema["items"], f"{path}[]")
    return {found for field in schema["fields"] for found in all_branches(field["type"], f"{path}.{field['name']}")}
