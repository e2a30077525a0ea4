"""When things are said and shown. Pure; whatever is missing or impossible is estimated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

DEFAULT_DURATION_MS: Final = 15_000
CARD_MS: Final = 3_000
_LONGEST_ESTIMATE_MS: Final = 60_000
_MS_PER_WORD: Final = 400
_SHOT_MS: Final = 3_000
# Nothing shorter can be seen or said.
_SHORTEST_SHOT_MS: Final = 100
_SHORTEST_MS: Final = 1_000
_MOST_SHOTS: Final = 200


@dataclass(frozen=True, slots=True)
class Said:
    """A stretch of speech."""

    start_ms: int
    end_ms: int
    text: str


def said(transcript: object) -> list[Said]:
    """The segments that have text and times, in order of time."""
    if not isinstance(transcript, Sequence) or isinstance(transcript, str):
        return []
    found = [
        Said(int(part["startMs"]), int(part["endMs"]), str(part["text"]))
        for part in transcript
        if isinstance(part, Mapping)
        and _number(part.get("startMs"))
        and _number(part.get("endMs"))
        and part.get("text")
    ]
    return sorted(found, key=lambda segment: segment.start_ms)


def duration_ms(given: object, segments: Sequence[Said], caption: str) -> int:
    """The length: as given, else as the transcript ends, else as long as the caption takes to say."""
    length = _milliseconds(given)
    if length:
        return max(_SHORTEST_MS, length)
    if segments:
        return max(_SHORTEST_MS, max(segment.end_ms for segment in segments))
    return min(_LONGEST_ESTIMATE_MS, max(DEFAULT_DURATION_MS, len(caption.split()) * _MS_PER_WORD))


def shots(given: object, length_ms: int, *, cards: int | None) -> tuple[tuple[int, int], ...]:
    """Shots without a gap from 0 to the end; even ones where none are given, a card each for a slideshow."""
    items = given if isinstance(given, Sequence) and not isinstance(given, str) else ()
    starts: list[int] = []
    for start in sorted(
        {int(shot["startMs"]) for shot in items if isinstance(shot, Mapping) and _number(shot.get("startMs"))}
    ):
        if (starts or [0])[-1] + _SHORTEST_SHOT_MS <= start <= length_ms - _SHORTEST_SHOT_MS:
            starts.append(start)
    if not starts:
        count = 1 if len(items) == 1 else cards or max(1, round(length_ms / _SHOT_MS))
        return even(count, length_ms)
    edges = [0, *starts[: _MOST_SHOTS - 1], length_ms]
    return tuple((edges[i], edges[i + 1]) for i in range(len(edges) - 1))


def even(count: int, length_ms: int) -> tuple[tuple[int, int], ...]:
    """So many shots of the same length."""
    edges = [length_ms * number // count for number in range(count + 1)]
    return tuple((edges[i], edges[i + 1]) for i in range(count))


def described(given: object) -> str:
    """What the shots show, in one text."""
    items: Sequence[Any] = given if isinstance(given, Sequence) and not isinstance(given, str) else ()
    return "; ".join(str(shot.get("description") or "") for shot in items if isinstance(shot, Mapping))


def _number(value: object) -> bool:
    return _milliseconds(value) is not None


def _milliseconds(value: object) -> int | None:
    """The value as whole milliseconds; None where it is no time."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value < 2**31 else None
