"""Readers and writers of Avro bodies in plain Python, generated from a schema: fastavro's bytes in half of its time.

Generated when a schema is loaded, from our own `.avsc` files only. They know what those have: records, `string`, `int`,
`long`, enums, arrays, and unions of null with one of them; anything else is refused at once. fastavro stays the oracle:
a test holds both to the same bytes and the same records, and reads what an earlier release wrote.

Reading is total: any bytes give a record and the place behind it, or an exception. Lengths and counts are held against
the bytes that are there before anything is made of them.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import count
from typing import Any, Final

Write = Callable[[Mapping[str, Any]], bytes]
"""The body of a record. Raises KeyError, ValueError, TypeError or AttributeError when it does not fit."""

Read = Callable[[bytes, int], tuple[Any, int]]
"""The record whose body begins at a place, and the place behind it. Raises IndexError or ValueError for bad bytes."""

_LONG_BITS: Final = 64
_LONGEST_VARINT_BYTES: Final = 10


class UnsupportedSchema(TypeError):
    """The schema has a type that is not known here."""


@lru_cache(maxsize=1_024)
def long_bytes(number: int) -> bytes:
    """An Avro int or long. Raises ValueError when it has more than 64 bits. Kept: records of a batch share times."""
    left = number << 1 if number >= 0 else (-number << 1) - 1
    if left >> _LONG_BITS:
        raise ValueError("an integer has more than 64 bits")
    out = bytearray()
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    out.append(left)
    return bytes(out)


# The lengths and numbers that are common; looking one up costs a tenth of making it.
_SMALL: Final = tuple(long_bytes(number) for number in range(1_024))
# Larger ones are times, and records of one moment share theirs. By type, since 1.0 equals 1 and is no integer.
_large: Final = lru_cache(maxsize=256, typed=True)(long_bytes)


def _long_at(data: bytes, at: int) -> tuple[int, int]:
    """An int or long of more than one byte."""
    number = shift = 0
    for place in range(at, at + _LONGEST_VARINT_BYTES):
        byte = data[place]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            if number >> _LONG_BITS:
                break
            return (number >> 1) ^ -(number & 1), place + 1
        shift += 7
    raise ValueError("an integer has more than 64 bits")


def _refuse(what: str) -> None:
    raise ValueError(what)


def writer_of(schema: Mapping[str, Any]) -> Write:
    """The writer of a record. Raises UnsupportedSchema."""
    source = _Source({"small": _SMALL, "large": _large})
    source.line(0, "def write(record):")
    pieces = _write(source, 1, schema, "record")
    source.line(1, f"return {_joined(pieces)}")
    write: Write = source.made("write")
    return write


def reader_of(schema: Mapping[str, Any]) -> Read:
    """The reader of a record. Raises UnsupportedSchema."""
    source = _Source({"long_at": _long_at, "refuse": _refuse})
    source.line(0, "def read(data, at):")
    source.line(1, "size = len(data)")
    found = _read(source, 1, schema)
    source.line(1, f"return {found}, at")
    read: Read = source.made("read")
    return read


class _Source:
    """Lines of Python, and the values that they name."""

    def __init__(self, names: dict[str, Any]) -> None:
        self._names = names
        self._lines: list[str] = []
        self._numbers = count()

    def line(self, depth: int, text: str) -> None:
        self._lines.append("    " * depth + text)

    def new(self) -> str:
        return f"v{next(self._numbers)}"

    def constant(self, value: object) -> str:
        name = f"C{next(self._numbers)}"
        self._names[name] = value
        return name

    def made(self, name: str) -> Any:
        # Of our own schemas alone, and names from them stand in it as literals only.
        exec(compile("\n".join(self._lines), "<generated codec>", "exec"), self._names)  # noqa: S102
        return self._names[name]


def _write(source: _Source, depth: int, schema: Any, value: str) -> list[str]:
    """Lines that make the bytes of the variable `value`; the expressions that have them then, piece by piece."""
    match schema:
        case "string":
            text, size = source.new(), source.new()
            source.line(depth, f"{text} = {value}.encode()")
            source.line(depth, f"{size} = len({text})")
            return [f"small[{size}] if {size} < {len(_SMALL)} else large({size})", text]
        case "int" | "long":
            return [f"small[{value}] if 0 <= {value} < {len(_SMALL)} else large({value})"]
        case {"type": "enum", "symbols": symbols}:
            known = source.constant({symbol: long_bytes(number) for number, symbol in enumerate(symbols)})
            return [f"{known}[{value}]"]
        case ["null", inner]:
            found = source.new()
            source.line(depth, f"if {value} is None: {found} = b'\\x00'")
            source.line(depth, "else:")
            pieces = ["b'\\x02'", *_write(source, depth + 1, inner, value)]
            source.line(depth + 1, f"{found} = {_joined(pieces)}")
            return [found]
        case {"type": "array", "items": items}:
            found, size, item = source.new(), source.new(), source.new()
            source.line(depth, f"{found} = []")
            source.line(depth, f"if {value}:")
            source.line(depth + 1, f"{size} = len({value})")
            source.line(depth + 1, f"{found}.append(small[{size}] if {size} < {len(_SMALL)} else large({size}))")
            source.line(depth + 1, f"for {item} in {value}:")
            pieces = _write(source, depth + 2, items, item)
            source.line(depth + 2, f"{found} += {', '.join(pieces)},")
            source.line(depth, f"{found}.append(b'\\x00')")
            return [f"*{found}"]
        case {"type": "record", "fields": fields}:
            written = []
            for field in fields:
                found = source.new()
                name = repr(field["name"])
                has_default = "default" in field
                default = f"{value}.get({name}, {source.constant(field['default'])})" if has_default else ""
                source.line(depth, f"{found} = {default or f'{value}[{name}]'}")
                written += _write(source, depth, field["type"], found)
            return written
        case _:
            raise UnsupportedSchema(str(schema))


def _joined(pieces: list[str]) -> str:
    # The comma makes a tuple of one piece, too.
    return f"b''.join(({', '.join(pieces)},))"


def _read(source: _Source, depth: int, schema: Any) -> str:
    """Lines that read a value at `at` and move that on; the variable that has it then."""
    match schema:
        case "string":
            length = _read_long(source, depth)
            end, text = source.new(), source.new()
            source.line(depth, f"{end} = at + {length}")
            source.line(depth, f"if not at <= {end} <= size: refuse('a length is beyond the end')")
            source.line(depth, f"{text} = str(data[at:{end}], 'utf-8')")
            source.line(depth, f"at = {end}")
            return text
        case "int" | "long":
            return _read_long(source, depth)
        case {"type": "enum", "symbols": symbols}:
            number = _read_long(source, depth)
            symbol = source.new()
            source.line(depth, f"if {number} < 0: refuse('there is no such symbol')")
            source.line(depth, f"{symbol} = {source.constant(tuple(symbols))}[{number}]")
            return symbol
        case ["null", inner]:
            branch, found = source.new(), source.new()
            source.line(depth, f"{branch} = data[at]")
            source.line(depth, "at += 1")
            source.line(depth, f"if {branch} == 2:")
            inside = _read(source, depth + 1, inner)
            source.line(depth + 1, f"{found} = {inside}")
            source.line(depth, f"elif {branch} == 0: {found} = None")
            source.line(depth, "else: refuse('there is no such branch')")
            return found
        case {"type": "array", "items": {"type": "record", "fields": [_, *_]} | "string" | "int" | "long" as items}:
            return _read_array(source, depth, items)
        case {"type": "record", "fields": fields}:
            names = [(field["name"], _read(source, depth, field["type"])) for field in fields]
            record = source.new()
            source.line(depth, f"{record} = {{{', '.join(f'{name!r}: {found}' for name, found in names)}}}")
            return record
        case _:
            raise UnsupportedSchema(str(schema))


def _read_array(source: _Source, depth: int, items: Any) -> str:
    found = source.new()
    source.line(depth, f"{found} = []")
    source.line(depth, "while True:")
    length = _read_long(source, depth + 1)
    source.line(depth + 1, f"if {length} == 0: break")
    source.line(depth + 1, f"if {length} < 0:")
    source.line(depth + 2, f"{length} = -{length}")
    # The size of the block, for readers that skip it.
    _read_long(source, depth + 2)
    # Each item has a byte at least.
    source.line(depth + 1, f"if {length} > size - at: refuse('a count is beyond the end')")
    source.line(depth + 1, f"for _ in range({length}):")
    item = _read(source, depth + 2, items)
    source.line(depth + 2, f"{found}.append({item})")
    return found


def _read_long(source: _Source, depth: int) -> str:
    number = source.new()
    source.line(depth, f"{number} = data[at]")
    source.line(depth, f"if {number} < 128:")
    source.line(depth + 1, f"{number} = ({number} >> 1) ^ -({number} & 1)")
    source.line(depth + 1, "at += 1")
    source.line(depth, f"else: {number}, at = long_at(data, at)")
    return number
