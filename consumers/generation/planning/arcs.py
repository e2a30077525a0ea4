"""Arcs of a reimagining, and how alike two arcs are. Pure."""

from collections.abc import Sequence
from typing import Final

from consumers.generation.analysis.blueprint import Beat

# Each begins with the hook. Short ones for short videos; the place of the call to action differs.
ARCS: Final = (
    ("hook", "cta"),
    ("hook", "demo"),
    ("hook", "turn", "cta"),
    ("hook", "agitate", "turn"),
    ("hook", "context", "turn", "cta"),
    ("hook", "demo", "objection", "cta"),
    ("hook", "agitate", "turn", "proof"),
    ("hook", "problem", "turn", "solution", "cta"),
    ("hook", "context", "turn", "demo", "cta"),
    ("hook", "demo", "objection", "proof", "cta"),
    ("hook", "objection", "demo", "cta", "proof"),
    ("hook", "turn", "solution", "objection", "cta"),
    ("hook", "agitate", "problem", "turn", "solution", "cta"),
    ("hook", "context", "problem", "agitate", "turn", "cta"),
    ("hook", "demo", "context", "cta", "objection", "proof"),
    ("hook", "turn", "demo", "proof", "offer", "cta"),
    ("hook", "context", "agitate", "turn", "demo", "proof", "cta"),
    ("hook", "objection", "problem", "turn", "demo", "offer", "cta"),
)
_WEIGHT: Final = {"hook": 0.8, "cta": 0.9, "turn": 0.9, "agitate": 0.9}
_LONGEST_HOOK_MS: Final = 5_000


def similarity(mine: Sequence[str], theirs: Sequence[str]) -> float:
    """1 for the same arc: one minus the Levenshtein distance over the longer length."""
    longer = max(len(mine), len(theirs))
    if not longer:
        return 1.0
    row = list(range(len(theirs) + 1))
    for i, one in enumerate(mine, start=1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(theirs, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (one != other))
    return 1 - row[-1] / longer


def spread(arc: Sequence[str], duration_ms: int, hook_ms: int) -> tuple[Beat, ...]:
    """The beats of an arc over a duration; the hook takes `hook_ms` at least."""
    weights = [_WEIGHT.get(kind, 1.0) for kind in arc]
    first = min(max(hook_ms, round(duration_ms * weights[0] / sum(weights))), max(hook_ms, _LONGEST_HOOK_MS))
    first = min(first, duration_ms * 2 // 3)
    rest = sum(weights[1:])
    edges, done = [0, first], 0.0
    for weight in weights[1:]:
        done += weight
        edges.append(first + round((duration_ms - first) * done / rest))
    return tuple(Beat(kind, edges[i], edges[i + 1]) for i, kind in enumerate(arc))
