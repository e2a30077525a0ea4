"""W3C trace context: one `traceparent` from the POST, through every record, to the completion event."""

import re
import secrets
from typing import Final

_TRACEPARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def valid_traceparent(value: str | None) -> str | None:
    """The value when it is a well-formed version-00 traceparent, else None: a stranger's header is never trusted."""
    return value if value is not None and _TRACEPARENT.fullmatch(value) else None


def new_traceparent() -> str:
    """A traceparent that starts a new, sampled trace."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
