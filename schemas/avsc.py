"""The `.avsc` files: what this release writes, and everything that it can read."""

from collections.abc import Iterator
from importlib.resources import files

from schemas.events import EVENT_NAMES, EventName


def written(name: EventName) -> str:
    """The schema that this release writes a record by."""
    return (files("schemas") / "avro" / f"{name}.avsc").read_text("utf-8")


def released() -> Iterator[tuple[EventName, str]]:
    """Every schema that this release or one before it can read."""
    for release in (files("schemas") / "released").iterdir():
        for name in EVENT_NAMES:
            file = release / f"{name}.avsc"
            if file.is_file():
                yield name, file.read_text("utf-8")
