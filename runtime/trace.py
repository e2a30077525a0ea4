"""W3C trace context: one `traceparent` from the POST, through every record, to the completion event."""

import os
import random
import re
from typing import Final

_TRACEPARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

# Unique, not secret: the system's own generator would cost two system calls for each.
_random: Final = random.Random()  # noqa: S311
_NOT_ZERO: Final = 1 << 64 | 1
os.register_at_fork(after_in_child=_random.seed)


def valid_traceparent(value: str | None) -> str | None:
    """The value when it is a well-formed version-00 traceparent, else None: a stranger's header is never trusted."""
    return value if value is not None and _TRACEPARENT.fullmatch(value) else None


def new_traceparent() -> str:
    """A traceparent that starts a new, sampled trace."""
    # Neither part may be zero: the last bit of each is set.
    digits = f"{_random.getrandbits(192) | _NOT_ZERO:048x}"
    return f"00-{digits[:32]}-{digits[32:]}-01"
