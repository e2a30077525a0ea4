"""No schema breaks a reader or a writer of any release, and none is written before the release before could read it."""

import copy
import json
import tomllib
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from schemas import codec
from schemas.events import EVENT_NAMES
from tests.schemas.evolution import History, Schemas, breaks, releases, version_of, written_too_early

RELEASED = Path(str(files("schemas") / "released"))
HISTORY = releases(RELEASED)
CURRENT: Schemas = {name: codec.schema_json(name) for name in EVENT_NAMES}
VERSION = version_of(tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]["version"])

Change = Callable[[dict[str, Any]], object]


def test_evolution_is_fully_transitive() -> None:
    assert breaks(CURRENT, HISTORY) == []


def test_what_is_written_could_be_read_by_the_release_before() -> None:
    assert written_too_early(CURRENT.values(), VERSION, HISTORY) == []


def test_a_released_schema_never_changes() -> None:
    known = json.loads((RELEASED / "fingerprints.json").read_text("utf-8"))
    assert known == {
        ".".join(map(str, version)): {name: codec.fingerprint_of(schema).hex() for name, schema in schemas.items()}
        for version, schemas in HISTORY.items()
    }


def test_every_released_schema_is_readable() -> None:
    for schemas in HISTORY.values():
        for name, schema in schemas.items():
            assert codec.event_name(b"\xc3\x01" + codec.fingerprint_of(schema)) == name


def field(schema: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(field for field in schema["fields"] if field["name"] == name)
    return found


def drop(name: str) -> Change:
    return lambda schema: schema["fields"].remove(field(schema, name))


def add(**new: Any) -> Change:
    return lambda schema: schema["fields"].append({"doc": "New.", **new})


def change(of: str, **changes: Any) -> Change:
    return lambda schema: field(schema, of).update(changes)


def outcome_of(schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = field(schema, "variations")["type"]["items"]
    return found


BROKEN: dict[str, tuple[str, Change]] = {
    "a field without a default is added": ("CloneAccepted", add(name="tier", type="string")),
    "a field without a default is dropped": ("CloneAccepted", drop("acceptedAt")),
    "a field is renamed": ("CloneReply", change("requestId", name="ask")),
    "a type is widened, which only newer readers take": ("CloneRequested", change("variations", type="long")),
    "a type is narrowed": ("CloneAccepted", change("acceptedAt", type="int")),
    "text becomes bytes": ("CloneAccepted", change("jobId", type={"type": "fixed", "name": "Id", "size": 16})),
    "a field may be null": ("CloneAccepted", change("sourcePostId", type=["null", "string"], default=None)),
    "a field may not be null any more": ("CloneRequested", change("deadlineAt", type="long", default=0)),
    "a symbol is added": ("CloneReply", lambda schema: field(schema, "outcome")["type"]["symbols"].append("queued")),
    "a symbol is dropped": (
        "CloneReply",
        lambda schema: field(schema, "outcome")["type"]["symbols"].remove("replayed"),
    ),
    "the record is renamed": ("CloneReply", lambda schema: schema.update(name="Verdict")),
    "an inner field without a default is added": (
        "JobCompleted",
        lambda schema: outcome_of(schema)["fields"].append({"name": "score", "type": "double", "doc": "New."}),
    ),
    "an inner field without a default is dropped": (
        "JobCompleted",
        lambda schema: outcome_of(schema)["fields"].remove(field(outcome_of(schema), "attempts")),
    ),
    "an array holds something else": (
        "VariationsFinished",
        change("indexes", type={"type": "array", "items": "string"}),
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_the_gate_stops_a_breaking_change(what: str) -> None:
    name, breaking = BROKEN[what]
    changed = copy.deepcopy(dict(CURRENT))
    breaking(changed[name])
    assert any(name in found for found in breaks(changed, HISTORY)), what


def test_the_gate_stops_a_record_that_is_gone() -> None:
    changed = {name: schema for name, schema in CURRENT.items() if name != "CloneReply"}
    assert breaks(changed, HISTORY) == ["CloneReply is gone between this one and 1.0.0"]


def with_field(name: str, **more: Any) -> dict[str, Any]:
    schema = copy.deepcopy(CURRENT["CloneReply"])
    schema["fields"].append({"name": name, "doc": "New.", **more})
    return schema


OPTIONAL = {"type": ["null", "string"], "default": None}


def test_the_gate_lets_an_optional_field_come_and_go() -> None:
    assert breaks({**CURRENT, "CloneReply": with_field("tier", **OPTIONAL)}, HISTORY) == []
    history: History = {**HISTORY, (1, 1, 0): {**CURRENT, "CloneReply": with_field("tier", **OPTIONAL)}}
    assert breaks(CURRENT, history) == []


def test_the_gate_looks_past_the_last_release() -> None:
    # Each step alone is fine; the name comes back as something else two releases later.
    history: History = {
        (1, 0, 0): {**CURRENT, "CloneReply": with_field("tier", **OPTIONAL)},
        (1, 1, 0): CURRENT,
    }
    back = {**CURRENT, "CloneReply": with_field("tier", type="int", default=0)}
    assert breaks(back, {(1, 1, 0): CURRENT}) == []
    assert breaks(back, history) != []


def test_a_schema_ships_readable_before_it_is_written() -> None:
    new = with_field("tier", **OPTIONAL)
    written = [*(schema for name, schema in CURRENT.items() if name != "CloneReply"), new]
    first: History = {(1, 0, 0): CURRENT}
    assert written_too_early(written, (1, 1, 0), first) == ["CloneReply"]
    # Readable in 1.1.0 while that still writes the old one; written in 1.2.0.
    second: History = {**first, (1, 1, 0): {"CloneReply": new}}
    assert written_too_early(CURRENT.values(), (1, 1, 0), second) == []
    assert written_too_early(written, (1, 1, 0), second) == ["CloneReply"]
    assert written_too_early(written, (1, 2, 0), second) == []


def test_versions_are_ordered_as_numbers() -> None:
    assert version_of("1.10.0") > version_of("1.9.0")
