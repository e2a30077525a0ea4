"""The examples of records in `examples/`: for people, for the AsyncAPI document, and for tests in any language."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from schemas.events import EventName


@dataclass(frozen=True, slots=True)
class Example:
    """One example: `record` has the fields as `schemas.events` names them, `single_object` is its encoding."""

    name: str
    about: str
    record: dict[str, Any]
    single_object: bytes


@cache
def examples(record: EventName) -> tuple[Example, ...]:
    """The examples of a record, in the order of their names."""
    folder = files("schemas") / "examples" / record
    found = []
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        content = json.loads(file.read_text("utf-8"))
        found.append(
            Example(
                file.name.removesuffix(".json"),
                content["about"],
                content["record"],
                bytes.fromhex(content["singleObject"]),
            )
        )
    return tuple(found)
