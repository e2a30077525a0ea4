"""The call to action of a post: its kind and where it starts. Pure."""

from collections.abc import Sequence
from typing import Final

from consumers.generation.analysis.signs_files import patterns
from consumers.generation.analysis.timing import Said

# A caption is read at the end, whatever it says.
_OF_A_CAPTION: Final = 0.85


def call_to_action(segments: Sequence[Said], caption: str, length_ms: int) -> tuple[str | None, float | None]:
    """The kind and the start as a share of the length; the last one that is spoken, else one in the caption."""
    for segment in reversed(segments):
        if (kind := call_kind(segment.text)) is not None:
            return kind, round(min(segment.start_ms / length_ms, 1.0), 3)
    kind = call_kind(caption)
    return kind, None if kind is None else _OF_A_CAPTION


def call_kind(text: str) -> str | None:
    """What a text asks people to do."""
    return next((kind for kind, pattern in patterns("calls", "kind") if pattern.search(text)), None)
