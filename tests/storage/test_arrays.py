"""Arrays that we pack ourselves arrive as psycopg's own do."""

import struct
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final

import psycopg
import pytest

from storage import arrays
from storage.connection import Database

_IDS: Final = [uuid.UUID(int=0), uuid.UUID(int=2**128 - 1), uuid.UUID("0190a8f0-7c1e-8a3b-9d2c-1b2a3c4d5e6f")]
_COLUMNS: Final[list[tuple[str, Callable[[Any], bytes], Sequence[Any]]]] = [
    ("uuid", arrays.uuids, _IDS),
    ("uuid", arrays.optional_uuids, [_IDS[0], None, _IDS[2]]),
    ("smallint", arrays.smallints, [0, -1, 32_767, -32_768]),
    ("int", arrays.ints, [0, -1, 2**31 - 1, -(2**31)]),
    ("bigint", arrays.bigints, [0, None, 2**63 - 1, -(2**63)]),
    ("float8", arrays.doubles, [0.0, 1 / 3, -1e300, float("inf")]),
    ("text", arrays.texts, ["", None, 'a "quoted" \\ {text}, with commas', "NULL", "𝔘nicode ü"]),
    ("bytea", arrays.byteas, [b"", b"\x00\xff", b"'"]),
]


@pytest.mark.parametrize(
    ("kind", "packed", "values"), _COLUMNS, ids=[f"{kind}-{at}" for at, (kind, *_) in enumerate(_COLUMNS)]
)
@pytest.mark.parametrize("repeat", [0, 1, 50])
def test_what_is_packed_is_what_is_there(
    database: Database, kind: str, packed: Callable[[Any], bytes], values: Sequence[Any], repeat: int
) -> None:
    column = list(values) * repeat
    with database.transaction() as connection:
        row = connection.execute(
            f"SELECT %b::{kind}[], %b::{kind}[] = %s::{kind}[], array_lower(%b::{kind}[], 1)",
            (packed(column), packed(column), column, packed(column)),
        ).fetchone()
    assert row == (column, True, 1 if column else None)


def test_what_postgres_cannot_hold_is_refused_here() -> None:
    with pytest.raises(psycopg.DataError, match="NUL"):
        arrays.texts(["a\x00b"])
    with pytest.raises(UnicodeEncodeError):
        arrays.texts(["\ud800"])
    with pytest.raises(struct.error):
        arrays.smallints([32_768])
