"""What the gate says about a text."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """A bar that a text misses. `bar` is the name that a failed variation shows; `detail` never quotes the source."""

    bar: str
    field: str
    detail: str
