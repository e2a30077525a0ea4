"""The generated codec against fastavro: the same bytes out, the same records in, and nothing read past the end."""

import io
import json
from collections.abc import Callable
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import avsc
from schemas.events import EVENT_NAMES, EventName
from schemas.generated_codec import UnsupportedSchema, long_bytes, reader_of, writer_of

LONGS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.text("é☕x", min_size=60, max_size=1_500)
SCHEMAS = {name: json.loads(avsc.written(name)) for name in EVENT_NAMES}
ORACLES = {name: fastavro.parse_schema(schema) for name, schema in SCHEMAS.items()}
WRITERS = {name: writer_of(schema) for name, schema in SCHEMAS.items()}
READERS = {name: reader_of(schema) for name, schema in SCHEMAS.items()}
# Types that stand in it in every place that they can.
EVERYTHING = {
    "type": "record",
    "name": "Everything",
    "fields": [
        {"name": "texts", "type": {"type": "array", "items": "string"}},
        {"name": "numbers", "type": ["null", {"type": "array", "items": "long"}]},
        {"name": "int", "type": "int", "default": 7},
        {
            "name": "inner",
            "type": {
                "type": "array",
                "items": {
                    "type": "record",
                    "name": "Inner",
                    "fields": [
                        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["a", "b", "c"]}},
                        {"name": "more", "type": ["null", {"type": "array", "items": "int"}], "default": None},
                    ],
                },
            },
        },
    ],
}


def values(schema: Any) -> st.SearchStrategy[Any]:
    """Every value of a schema."""
    match schema:
        case "string":
            return TEXTS
        case "int":
            return st.integers(-(2**31), 2**31 - 1)
        case "long":
            return LONGS
        case ["null", inner]:
            return st.none() | values(inner)
        case {"type": "enum", "symbols": symbols}:
            return st.sampled_from(symbols)
        case {"type": "array", "items": items}:
            return st.lists(values(items), max_size=4)
        case _:
            return st.fixed_dictionaries({field["name"]: values(field["type"]) for field in schema["fields"]})


def by_oracle(schema: Any, record: Any) -> bytes:
    """What fastavro writes."""
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, schema, record)
    return buffer.getvalue()


@given(st.data(), st.sampled_from(EVENT_NAMES))
def test_every_record_of_ours_has_the_same_bytes_and_comes_back(data: st.DataObject, name: EventName) -> None:
    record = data.draw(values(SCHEMAS[name]))
    written = WRITERS[name](record)
    assert written == by_oracle(ORACLES[name], record)
    assert READERS[name](b"head" + written + b"tail", 4) == (record, 4 + len(written))


@given(values(EVERYTHING))
def test_every_type_in_every_place_has_the_same_bytes_and_comes_back(record: Any) -> None:
    written = writer_of(EVERYTHING)(record)
    assert written == by_oracle(fastavro.parse_schema(EVERYTHING), record)
    assert reader_of(EVERYTHING)(written, 0) == (record, len(written))


@given(st.data(), st.sampled_from(EVENT_NAMES))
def test_what_is_read_from_broken_bytes_is_what_fastavro_reads_or_is_refused(
    data: st.DataObject, name: EventName
) -> None:
    good = bytearray(WRITERS[name](data.draw(values(SCHEMAS[name]))))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(good) - 1))
        good[place] = data.draw(st.integers(0, 255))
    broken = bytes(good[: data.draw(st.integers(0, len(good)))])
    try:
        record, end = READERS[name](broken, 0)
    except (IndexError, ValueError):
        return
    assert end <= len(broken)
    buffer = io.BytesIO(broken)
    assert fastavro.schemaless_reader(buffer, ORACLES[name], None) == record
    assert buffer.tell() == end


@given(LONGS)
def test_a_long_is_as_short_as_it_can_be(number: int) -> None:
    assert long_bytes(number) == by_oracle("long", number)


def test_fields_with_a_default_may_be_left_out_as_with_fastavro() -> None:
    record = {"texts": [], "numbers": None, "inner": [{"kind": "b"}]}
    assert writer_of(EVERYTHING)(record) == by_oracle(fastavro.parse_schema(EVERYTHING), record)


def array(count: int, rest: bytes) -> bytes:
    return long_bytes(count) + rest


TEXTS_ONLY = {"type": "record", "name": "T", "fields": [{"name": "t", "type": {"type": "array", "items": "string"}}]}


def test_blocks_that_carry_their_size_are_read() -> None:
    written = array(-2, long_bytes(4) + b"\x02a\x02b") + array(1, b"\x02c") + b"\x00"
    assert reader_of(TEXTS_ONLY)(written, 0) == ({"t": ["a", "b", "c"]}, len(written))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        array(2**62, b"\x02a"),
        array(-(2**62), b"\x02\x02a"),
        array(1, long_bytes(-1) + b"a"),
        array(1, long_bytes(2) + b"a"),
        array(1, long_bytes(2**62) + b"a"),
        array(1, b"\x02\xff\x00"),
        array(1, b"\x06\xed\xa0\x80\x00"),
        array(1, b"\x02a"),
        b"\xff" * 9,
        b"\xff" * 10 + b"\x01",
        b"\xff" * 9 + b"\x7f",
    ],
)
def test_lengths_and_counts_that_are_not_there_are_refused(body: bytes) -> None:
    with pytest.raises((IndexError, ValueError)):
        reader_of(TEXTS_ONLY)(body, 0)


@pytest.mark.parametrize("index", [-1, 3, 2**40])
def test_a_symbol_that_is_not_there_is_refused(index: int) -> None:
    kind = {"type": "enum", "name": "K", "symbols": ["a", "b", "c"]}
    read = reader_of({"type": "record", "name": "R", "fields": [{"name": "k", "type": kind}]})
    with pytest.raises((IndexError, ValueError)):
        read(long_bytes(index), 0)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_an_integer_of_more_than_64_bits_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        long_bytes(value)


@pytest.mark.parametrize("made", [writer_of, reader_of])
@pytest.mark.parametrize(
    "schema",
    [
        "double",
        "Inner",
        ["null", "string", "int"],
        {"type": "map", "values": "int"},
        {"type": "array", "items": "null"},
    ],
)
def test_what_it_does_not_know_it_refuses_when_it_is_made(made: Callable[[Any], object], schema: Any) -> None:
    record = {"type": "record", "name": "R", "fields": [{"name": "x", "type": schema}]}
    with pytest.raises(UnsupportedSchema):
        made(record)
