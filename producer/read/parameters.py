"""Query parameters and cursors. Pure; everything wrong is a VALIDATION_FAILED that names the parameter."""

import base64
import binascii
import uuid
from collections.abc import Mapping, Sequence
from typing import Final

from producer.errors import invalid
from schemas.ids import InvalidId, Prefix, parse_id
from schemas.request_rules import FieldProblem
from storage.reads import Page

MAX_LIMIT: Final = 200
DEFAULT_LIMIT: Final = 25
_MAX_OFFSET: Final = 1_000_000


def path_id(prefix: Prefix, field: str, text: str) -> uuid.UUID:
    """An id in the path. Raises ApiError."""
    try:
        return parse_id(prefix, text)
    except InvalidId as error:
        raise invalid([FieldProblem(field, str(error))]) from error


def limit(query: Mapping[str, str]) -> int:
    """1 to 200, 25 when absent. Raises ApiError."""
    text = query.get("limit")
    if text is None:
        return DEFAULT_LIMIT
    if not text.isascii() or not text.isdigit() or len(text) > 3 or not 1 <= int(text) <= MAX_LIMIT:
        raise invalid([FieldProblem("limit", f"must be an integer from 1 to {MAX_LIMIT}")])
    return int(text)


def choice(query: Mapping[str, str], field: str, allowed: Sequence[str], default: str | None = None) -> str | None:
    """One of the allowed words. Raises ApiError."""
    text = query.get(field, default)
    if text is not None and text not in allowed:
        raise invalid([FieldProblem(field, f"must be one of {', '.join(allowed)}")])
    return text


def page_cursor(query: Mapping[str, str]) -> Page | None:
    """The cursor of a list by time. Raises ApiError."""
    parts = _decode(query.get("cursor"))
    if parts is None:
        return None
    at_text, _, id_text = parts.partition(".")
    try:
        at_ms, row_id = int(at_text), uuid.UUID(id_text)
    except ValueError as error:
        raise _bad_cursor() from error
    if not 0 <= at_ms < 1 << 47:
        raise _bad_cursor()
    return Page(at_ms, row_id)


def offset_cursor(query: Mapping[str, str]) -> int:
    """The cursor of a ranked list. Raises ApiError."""
    text = _decode(query.get("cursor"))
    if text is None:
        return 0
    if not text.isascii() or not text.isdigit() or len(text) > 7 or int(text) > _MAX_OFFSET:
        raise _bad_cursor()
    return int(text)


def cursor_after(at_ms: int, row_id: uuid.UUID) -> str:
    """The cursor behind a row of a list by time."""
    return _encode(f"{at_ms}.{row_id}")


def cursor_at(offset: int) -> str:
    """The cursor at a rank."""
    return _encode(str(offset))


def _encode(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        decoded = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)).decode("ascii")
    except (binascii.Error, UnicodeError, ValueError) as error:
        raise _bad_cursor() from error
    if _encode(decoded) != text:
        # The decoder passes over what is no base64; a cursor of ours has none.
        raise _bad_cursor()
    return decoded


def _bad_cursor() -> Exception:
    return invalid([FieldProblem("cursor", "must be a nextCursor of this list")])
