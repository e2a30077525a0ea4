"""Bytes to records and back, in Avro single-object encoding.

Where a schema registry is in use, `runtime.framing` exchanges that for the Confluent wire format at the edge.

Decoding is total: any bytes give a record of a known schema or UndecodableRecord, nothing else. A schema is chosen by
its pinned fingerprint alone, so that bytes from outside can never bring a schema of their own.
"""

import io
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import fastavro
from fastavro.schema import SchemaParseException, UnknownType, fingerprint, to_parsing_canonical_form
from fastavro.types import Schema

from schemas import avsc
from schemas.events import EVENT_NAMES, EventName
from schemas.generated_codec import Read, Write, reader_of, writer_of

# A producer's limit is 1 MB; nothing of ours comes near it. Checked before any byte is interpreted.
MAX_RECORD_BYTES: Final = 1_048_576

_SINGLE_OBJECT: Final = b"\xc3\x01"
_SINGLE_OBJECT_HEADER_BYTES: Final = 10
_CONFLUENT: Final = b"\x00"


class UndecodableRecord(ValueError):
    """Bytes that are no record of ours. `reason` is a stable machine word."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Decoded:
    """A record and its name; the record's keys and types are those of `schemas.events`."""

    name: EventName
    record: Any


@dataclass(frozen=True, slots=True)
class _Known:
    name: EventName
    schema: Schema
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class _Current:
    """A schema that this release writes: its readers and writers are generated."""

    known: _Known
    header: bytes
    write: Write
    read: Read


def fingerprint_of(schema: Any) -> bytes:
    """The CRC-64-AVRO fingerprint of a schema as records carry it: 8 bytes, little-endian."""
    return struct.pack("<Q", int(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"), 16))


def _load(text: str, name: EventName) -> _Known:
    raw = json.loads(text)
    return _Known(name, fastavro.parse_schema(raw), fingerprint_of(raw))


def _generate(name: EventName) -> _Current:
    text = avsc.written(name)
    raw, known = json.loads(text), _load(text, name)
    return _Current(known, _SINGLE_OBJECT + known.fingerprint, writer_of(raw), reader_of(raw))


_CURRENT: Final = {name: _generate(name) for name in EVENT_NAMES}
_READABLE: Final = {known.fingerprint: known for known in (_load(text, name) for name, text in avsc.released())} | {
    current.known.fingerprint: current.known for current in _CURRENT.values()
}


def schema_json(name: EventName) -> dict[str, Any]:
    """The current schema of a record, as its `.avsc` file has it."""
    return cast("dict[str, Any]", json.loads(avsc.written(name)))


def fingerprint_of_ours(text: str) -> bytes | None:
    """The fingerprint of a schema that came from outside; None when it is none that this release can read."""
    try:
        found = fingerprint_of(json.loads(text))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, SchemaParseException, UnknownType):
        return None
    return found if found in _READABLE else None


def encode(name: EventName, record: Mapping[str, Any]) -> bytes:
    """Single-object encoding of a record. Raises ValueError or KeyError when it does not fit the schema: a defect."""
    current = _CURRENT[name]
    try:
        return current.header + current.write(record)
    except (TypeError, AttributeError) as error:
        raise ValueError(f"not a {name}: {error}") from error


def event_name(data: bytes) -> EventName | None:
    """The record's name from its fingerprint alone, without decoding it; None when that is not known."""
    known = _READABLE.get(data[2:_SINGLE_OBJECT_HEADER_BYTES]) if data[:2] == _SINGLE_OBJECT else None
    return None if known is None else known.name


def decode(data: bytes | None, allowed: frozenset[EventName]) -> Decoded:
    """Decode one record of the allowed kinds, written by this release or any before it.

    Raises UndecodableRecord for every other input.
    """
    if data is None:
        raise UndecodableRecord("TOMBSTONE", "the record has no value; write a record, never a tombstone")
    if len(data) > MAX_RECORD_BYTES:
        raise UndecodableRecord("TOO_LARGE", f"{len(data)} bytes; the limit is {MAX_RECORD_BYTES}")
    if data[:2] == _SINGLE_OBJECT and len(data) >= _SINGLE_OBJECT_HEADER_BYTES:
        writer = _READABLE.get(data[2:_SINGLE_OBJECT_HEADER_BYTES])
    elif data[:1] == _CONFLUENT:
        # Readers with a registry have exchanged the ids that are ours before this.
        raise UndecodableRecord(
            "UNKNOWN_SCHEMA_ID", "it begins like the Confluent wire format, and no id of ours follows"
        )
    else:
        raise UndecodableRecord("UNKNOWN_FRAMING", "no Avro single-object header (C3 01 and the schema's fingerprint)")
    if writer is None:
        raise UndecodableRecord("UNKNOWN_SCHEMA", "the schema's fingerprint is none that this topic's contract has")
    if writer.name not in allowed:
        raise UndecodableRecord("WRONG_RECORD", f"{writer.name} does not belong on this topic")
    return Decoded(writer.name, _body(data, writer))


def _body(data: bytes, writer: _Known) -> Any:
    current = _CURRENT[writer.name]
    try:
        if current.known.fingerprint == writer.fingerprint:
            record, end = current.read(data, _SINGLE_OBJECT_HEADER_BYTES)
        else:
            # Fields that have come and gone since are fastavro's to match.
            buffer = io.BytesIO(data)
            buffer.seek(_SINGLE_OBJECT_HEADER_BYTES)
            record, end = fastavro.schemaless_reader(buffer, writer.schema, current.known.schema), buffer.tell()
    except Exception as error:
        # fastavro raises whatever its parts raise; any of it means bad bytes.
        raise UndecodableRecord("UNDECODABLE", f"{writer.name}: {type(error).__name__} while decoding") from error
    if end != len(data):
        # A longer record would be read as the shorter one it starts with.
        raise UndecodableRecord("TRAILING_BYTES", f"{writer.name}: {len(data) - end} bytes after its end")
    return record
