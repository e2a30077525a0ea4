"""Avro by the .avsc files alone: single-object encoding, any schema that was ever released."""

import io
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

_MARK: Final = b"\xc3\x01"
_HEADER_BYTES: Final = 10


class Undecodable(ValueError):
    """Bytes that are no record of the contract."""


@dataclass(frozen=True, slots=True)
class _Schema:
    name: str
    parsed: Any
    fingerprint: bytes


def name_of(value: bytes | None) -> str | None:
    """The record's name by its fingerprint, or None when it has none of ours."""
    writer = _readable().get(value[2:_HEADER_BYTES]) if value and value[:2] == _MARK else None
    return None if writer is None else writer.name


def decode(value: bytes | None) -> tuple[str, dict[str, Any]]:
    """The record's name and fields. Raises Undecodable."""
    if value is None or value[:2] != _MARK:
        raise Undecodable("no single-object encoding")
    writer = _readable().get(value[2:_HEADER_BYTES])
    if writer is None:
        raise Undecodable("a fingerprint of no schema that was released")
    reader = _current()[writer.name]
    body = io.BytesIO(value)
    body.seek(_HEADER_BYTES)
    try:
        same = reader.fingerprint == writer.fingerprint
        fields: Any = fastavro.schemaless_reader(body, writer.parsed, None if same else reader.parsed)
    except Exception as error:
        # fastavro raises whatever its parts raise; any of it means bad bytes.
        raise Undecodable(f"{writer.name}: {type(error).__name__}") from error
    if body.tell() != len(value):
        raise Undecodable(f"{writer.name}: bytes behind its end")
    return writer.name, fields


def encode(name: str, fields: Mapping[str, Any]) -> bytes:
    """A record of the current schema."""
    schema = _current()[name]
    buffer = io.BytesIO()
    buffer.write(_MARK + schema.fingerprint)
    fastavro.schemaless_writer(buffer, schema.parsed, dict(fields))
    return buffer.getvalue()


@cache
def _current() -> dict[str, _Schema]:
    return {schema.name: schema for schema in _load(files("schemas") / "avro")}


@cache
def _readable() -> dict[bytes, _Schema]:
    releases = [folder for folder in (files("schemas") / "released").iterdir() if folder.is_dir()]
    released = [schema for folder in releases for schema in _load(folder)]
    return {schema.fingerprint: schema for schema in [*released, *_current().values()]}


def _load(folder: Traversable) -> list[_Schema]:
    found = []
    for file in folder.iterdir():
        if file.name.endswith(".avsc"):
            raw = json.loads(file.read_text("utf-8"))
            mark = struct.pack("<Q", int(fingerprint(to_parsing_canonical_form(raw), "CRC-64-AVRO"), 16))
            found.append(_Schema(file.name.removesuffix(".avsc"), fastavro.parse_schema(raw), mark))
    return found
