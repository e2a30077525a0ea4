"""Columns of a batch as Postgres arrays in binary, for the statements of the hot path.

psycopg takes lists of anything, and so looks at each element to find out what it is. A column of a batch has one type,
and often the same value in every row. Pass what these return for `%b`.
"""

import struct
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

_HEADER: Final = struct.Struct(">iiIii").pack
_EMPTY: Final = struct.Struct(">iiI").pack
_LENGTH: Final = struct.Struct(">i").pack
_NULL: Final = _LENGTH(-1)
_UUID_LENGTH: Final = _LENGTH(16)


class Uuids(bytes):
    """uuid[]"""


class Smallints(bytes):
    """smallint[]"""


class Ints(bytes):
    """int[]"""


class Bigints(bytes):
    """bigint[]"""


class Doubles(bytes):
    """float8[]"""


class Texts(bytes):
    """text[]"""


class Byteas(bytes):
    """bytea[]"""


_OIDS: Final[dict[type[bytes], tuple[int, int]]] = {
    Uuids: (2950, 2951),
    Smallints: (21, 1005),
    Ints: (23, 1007),
    Bigints: (20, 1016),
    Doubles: (701, 1022),
    Texts: (25, 1009),
    Byteas: (17, 1001),
}
"""The types of an element and of the array: the same in every Postgres, for ever."""
_SHORT: Final = struct.Struct(">ih").pack
_INT: Final = struct.Struct(">ii").pack
_LONG: Final = struct.Struct(">iq").pack
_DOUBLE: Final = struct.Struct(">id").pack


def uuids(values: Sequence[uuid.UUID]) -> Uuids:
    """uuid[] without nulls."""
    elements = [value.int.to_bytes(16, "big") for value in values]
    # Each element has the same length before it.
    return Uuids(_UUID_LENGTH.join([_header(Uuids, len(values), nulls=False), *elements]))


def optional_uuids(values: Sequence[uuid.UUID | None]) -> Uuids:
    """uuid[]"""
    elements = [_NULL if value is None else _UUID_LENGTH + value.int.to_bytes(16, "big") for value in values]
    return Uuids(_header(Uuids, len(values), nulls=True) + b"".join(elements))


def smallints(values: Sequence[int]) -> Smallints:
    """smallint[]. Raises struct.error for what is none, as the next two do."""
    return Smallints(_array(Smallints, values, lambda value: _SHORT(2, value)))


def ints(values: Sequence[int]) -> Ints:
    """int[]"""
    return Ints(_array(Ints, values, lambda value: _INT(4, value)))


def bigints(values: Sequence[int | None]) -> Bigints:
    """bigint[]"""
    return Bigints(_array(Bigints, values, lambda value: _LONG(8, value)))


def doubles(values: Sequence[float]) -> Doubles:
    """float8[]"""
    return Doubles(_array(Doubles, values, lambda value: _DOUBLE(8, value)))


def texts(values: Sequence[str | None]) -> Texts:
    """text[]. Raises psycopg.DataError for a NUL and UnicodeEncodeError for a lone surrogate, as psycopg does."""
    return Texts(_array(Texts, values, _text))


def byteas(values: Sequence[bytes]) -> Byteas:
    """bytea[]"""
    return Byteas(_array(Byteas, values, lambda value: _LENGTH(len(value)) + value))


def _array(kind: type[bytes], values: Sequence[Any], packed: Callable[[Any], bytes]) -> bytes:
    different = set(values)
    if 2 * len(different) <= len(values):
        # Most columns repeat a few values: each is packed once.
        made = {value: _NULL if value is None else packed(value) for value in different}
        elements = [made[value] for value in values]
    else:
        elements = [_NULL if value is None else packed(value) for value in values]
    return _header(kind, len(values), nulls=None in different) + b"".join(elements)


def _header(kind: type[bytes], length: int, *, nulls: bool) -> bytes:
    element, _ = _OIDS[kind]
    return _HEADER(1, nulls, element, length, 1) if length else _EMPTY(0, 0, element)


def _text(value: str) -> bytes:
    if "\x00" in value:
        raise psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
    data = value.encode()
    return _LENGTH(len(data)) + data


def _dumper(array: int) -> type[Dumper]:
    class Ready(Dumper):
        format = Format.BINARY
        oid = array

        def dump(self, obj: Any) -> bytes:
            ready: bytes = obj
            return ready

    return Ready


for _kind, (_, _array_oid) in _OIDS.items():
    psycopg.adapters.register_dumper(_kind, _dumper(_array_oid))
