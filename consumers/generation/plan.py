"""A Blueprint becomes one VariationBrief a variation. Pure: the same request gives the same briefs on any machine.

A fork keeps hook shape, beats, duration, shots and the place of the call to action; a reimagining keeps the premise
and takes another hook shape and another arc. Fidelity holds by construction, whoever writes the words.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from consumers.generation.analyse import Beat, Blueprint

HOOK_SHAPES: Final = (
    "question",
    "directive",
    "contrarian",
    "bold_claim",
    "story",
    "pov",
    "relatable",
    "callout",
    "reveal",
    "tutorial",
)
ANGLES: Final = ("saving", "time", "quality", "ease", "health", "transformation", "status", "safety")
MAX_VARIATIONS: Final = 10
_ARCS: Final = (
    ("hook", "problem", "solution", "proof", "cta"),
    ("hook", "context", "turn", "demo", "cta"),
    ("hook", "demo", "objection", "proof", "cta"),
    ("hook", "agitate", "problem", "turn", "solution", "cta"),
)
_FORMATS: Final = ("demo", "testimonial", "lifestyle", "problem_solution", "talking_head", "skit")
# What a shape claims must be the brand's to claim; these are carried by any brand.
_SUBSTITUTE: Final = {
    "statistic": "bold_claim",
    "offer": "callout",
    "social_proof": "relatable",
    "before_after": "story",
    "list": "tutorial",
}


@dataclass(frozen=True, slots=True)
class VariationBrief:
    """What one variation must be.

    `seed` decides every choice that is still open. `walk` is the variation's place among all of its project: who takes
    turns by it repeats nothing until the turns are through.
    """

    index: int
    mode: str
    seed: int
    walk: int
    hook_shape: str
    substituted_for: str | None
    angle: str
    beats: tuple[Beat, ...]
    shots: tuple[tuple[int, int], ...]
    duration_ms: int
    visual_format: str
    premise: tuple[str, ...]
    word_budget: int


def plan(
    blueprint: Blueprint, *, mode: str, job_id: str, index: int, attempt: int, ordinal: int, layer_format: str
) -> VariationBrief:
    """The brief of one variation. `ordinal` walks angles and shapes, so that a brand's jobs do not start alike."""
    seed = int.from_bytes(hashlib.sha256(f"{job_id}/{index}/{attempt}".encode()).digest()[:8], "big")
    walk = ordinal * MAX_VARIATIONS + index
    wanted = blueprint.hook_shape
    beats, shots, duration_ms = blueprint.beats, blueprint.shots, blueprint.duration_ms
    visual_format = blueprint.visual_format
    if mode == "reimagine":
        others = [shape for shape in HOOK_SHAPES if shape != wanted]
        wanted = others[walk % len(others)]
        arc = _ARCS[walk % len(_ARCS)]
        duration_ms = max(6_000, round(duration_ms * 0.9))
        beats = _spread(arc, duration_ms)
        shots = _even(max(3, round(len(shots) * 1.5) + 1), duration_ms)
        formats = [name for name in _FORMATS if name != visual_format]
        visual_format = formats[walk % len(formats)]
    if layer_format == "slideshow":
        shots, visual_format = _even(min(10, max(4, len(shots))), duration_ms), "carousel"
    shape = _SUBSTITUTE.get(wanted, wanted)
    return VariationBrief(
        index=index,
        mode=mode,
        seed=seed,
        walk=walk,
        hook_shape=shape,
        substituted_for=None if shape == wanted else wanted,
        angle=ANGLES[walk % len(ANGLES)],
        beats=beats,
        shots=shots,
        duration_ms=duration_ms,
        visual_format=visual_format,
        premise=blueprint.premise,
        word_budget=int(duration_ms / 1000 * 2.4),
    )


def _spread(arc: tuple[str, ...], duration_ms: int) -> tuple[Beat, ...]:
    edges = [duration_ms * number // len(arc) for number in range(len(arc) + 1)]
    return tuple(Beat(kind, edges[i], edges[i + 1]) for i, kind in enumerate(arc))


def _even(count: int, duration_ms: int) -> tuple[tuple[int, int], ...]:
    edges = [duration_ms * number // count for number in range(count + 1)]
    return tuple((edges[i], edges[i + 1]) for i in range(count))
