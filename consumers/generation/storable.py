"""Whether Postgres and the events can hold what a generator gave: its output is a stranger's.

One value that they cannot hold would fail the whole batch, and the process, again and again.
"""

from collections.abc import Mapping
from typing import Any, Final

from consumers.generation.generators import Made
from storage.variations import to_json

_MAX_JSON_CHARACTERS: Final = 200_000
_MAX_LABEL_CHARACTERS: Final = 200
_MAX_MESSAGE_CHARACTERS: Final = 2_000
_MAX_DURATION_MS: Final = 2**31 - 1


def storable_json(value: Mapping[str, Any]) -> str | None:
    """Its JSON text; None where jsonb would not take it: no JSON, a NUL, half a surrogate pair, too long."""
    try:
        text = to_json(value)
    except (TypeError, ValueError, RecursionError):
        return None
    return text if len(text) <= _MAX_JSON_CHARACTERS and "\\u0000" not in text else None


def storable_labels(made: Made) -> bool:
    """Whether hook shape, visual format and duration fit their columns and the events."""
    duration = made.duration_ms
    return (
        _is_text(made.hook_shape, _MAX_LABEL_CHARACTERS)
        and _is_text(made.visual_format, _MAX_LABEL_CHARACTERS)
        and isinstance(duration, int)
        and 0 <= duration <= _MAX_DURATION_MS
    )


def storable_reason(code: str, message: str) -> bool:
    """Whether an error fits its columns and the events."""
    return _is_text(code, _MAX_LABEL_CHARACTERS) and _is_text(message, _MAX_MESSAGE_CHARACTERS)


def _is_text(value: object, most: int) -> bool:
    if not isinstance(value, str) or len(value) > most or "\x00" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
