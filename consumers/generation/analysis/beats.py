"""The story of a post as beats with times. Pure."""

from collections.abc import Sequence
from typing import Final

from consumers.generation.analysis.blueprint import Beat
from consumers.generation.analysis.calls import call_kind
from consumers.generation.analysis.signs_files import patterns
from consumers.generation.analysis.timing import Said

HOOK_MS: Final = 3_000
# What follows a hook of that shape where its words do not say what it is.
_AFTER_HOOK: Final = {
    "directive": "demo",
    "bold_claim": "demo",
    "offer": "demo",
    "tutorial": "demo",
    "pov": "problem",
    "relatable": "problem",
    "contrarian": "problem",
}


def beats(segments: Sequence[Said], length_ms: int, cta_start: float | None, shape: str) -> tuple[Beat, ...]:
    """Beats without a gap from 0 to the end, of which the first is the hook; neighbours of a kind are one."""
    if len(segments) < 2:
        return _usual(length_ms, cta_start)
    found: list[Beat] = []
    for position in range(len(segments)):
        end = segments[position + 1].start_ms if position + 1 < len(segments) else length_ms
        end = min(end, length_ms)
        start = 0 if position == 0 else (found[-1].end_ms if found else 0)
        if end <= start:
            continue
        kind = _kind(segments, position, cta_start, length_ms, shape)
        if found and found[-1].kind == kind:
            found[-1] = Beat(kind, found[-1].start_ms, end)
        else:
            found.append(Beat(kind, start, end))
    if not found:
        return _usual(length_ms, cta_start)
    last = found[-1]
    found[-1] = Beat(last.kind, last.start_ms, length_ms)
    return tuple(found)


def _kind(segments: Sequence[Said], position: int, cta_start: float | None, length_ms: int, shape: str) -> str:
    segment = segments[position]
    if position == 0:
        return "hook"
    at = segment.start_ms / length_ms
    if cta_start is not None and abs(at - cta_start) < 0.001 and call_kind(segment.text) is not None:
        return "cta"
    told = next((kind for kind, pattern in patterns("beats", "beat") if pattern.search(segment.text)), None)
    if told is not None:
        return told
    if position == 1 and shape in _AFTER_HOOK:
        return _AFTER_HOOK[shape]
    return "problem" if position == 1 and len(segments) > 4 else "solution"


def _usual(length_ms: int, cta_start: float | None) -> tuple[Beat, ...]:
    """The story of a post whose speech tells none: hook, problem, solution, and the call to action where it stands."""
    first = min(HOOK_MS, length_ms // 4)
    end = length_ms if cta_start is None else min(max(round(length_ms * cta_start), first * 2), length_ms - first // 2)
    middle = first + (end - first) // 2
    told = [Beat("hook", 0, first), Beat("problem", first, middle), Beat("solution", middle, end)]
    return tuple(told if cta_start is None else [*told, Beat("cta", end, length_ms)])
