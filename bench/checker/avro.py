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
    raw: Any
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
    if not (same and encode(writer.name, fields) == value):
        # Other bytes than ours may be fine, and may be what fastavro takes though Avro knows no such thing.
        _walk(writer.raw, value, _HEADER_BYTES)
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
            found.append(_Schema(file.name.removesuffix(".avsc"), raw, fastavro.parse_schema(raw), mark))
    return found


def _walk(schema: Any, data: bytes, at: int) -> int:
    """The end of a value of this schema. Raises Undecodable for a branch, a symbol or an integer that cannot be."""
    if isinstance(schema, list):
        branch, at = _long(data, at)
        return _walk(_one_of(schema, branch), data, at)
    kind = schema["type"] if isinstance(schema, dict) else schema
    if kind == "record":
        for field in schema["fields"]:
            at = _walk(field["type"], data, at)
        return at
    if kind == "array":
        return _walk_array(schema["items"], data, at)
    if kind == "enum":
        symbol, at = _long(data, at)
        _one_of(schema["symbols"], symbol)
        return at
    if isinstance(kind, (dict, list)):
        return _walk(kind, data, at)
    number, end = _long(data, at) if kind in ("int", "long", "string", "bytes") else (0, at)
    if kind == "int" and not -(2**31) <= number < 2**31:
        raise Undecodable("an int of more than 32 bits")
    return {"boolean": at + 1, "float": at + 4, "double": at + 8, "string": end + number, "bytes": end + number}.get(
        kind, end
    )


def _walk_array(items: Any, data: bytes, at: int) -> int:
    while True:
        count, at = _long(data, at)
        if count == 0:
            return at
        if count < 0:
            # Its size in bytes follows.
            _, at = _long(data, at)
        for _ in range(abs(count)):
            at = _walk(items, data, at)


def _one_of(choices: Any, number: int) -> Any:
    if not 0 <= number < len(choices):
        raise Undecodable(f"number {number} of {len(choices)}")
    return choices[number]


def _long(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            break
    if number >> 64:
        raise Undecodable("an integer of more than 64 bits")
    return (number >> 1) ^ -(number & 1), at
