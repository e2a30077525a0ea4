"""The order's shots, each with its beat and its colours. Pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from PIL import Image

from consumers.rendering.palette import Tone, base_color, tone
from consumers.rendering.scenes import scene
from storage.renders import RenderOrder

BEATS: Final = frozenset(
    {"hook", "context", "problem", "agitate", "solution", "demo", "proof", "objection", "turn", "offer", "cta"}
)
# Of a shot that does not name its beat: what stands there most often, by where the shot begins.
_USUAL: Final = (
    (0.12, "context"),
    (0.35, "problem"),
    (0.5, "turn"),
    (0.62, "solution"),
    (0.76, "demo"),
    (1.1, "proof"),
)
# Two such shots in a row need not look the same.
_INSTEAD: Final = {"context": "problem", "problem": "agitate", "turn": "objection", "solution": "demo", "demo": "proof"}


@dataclass(frozen=True, slots=True)
class Shot:
    """One shot of the clip."""

    number: int
    start_ms: int
    end_ms: int
    description: str
    beat: str
    visual_format: str
    tone: Tone

    def picture(self, width: int, height: int) -> Image.Image:
        """Its scene."""
        return scene(width, height, beat=self.beat, visual_format=self.visual_format, tone=self.tone, turn=self.number)


def shots(order: RenderOrder) -> list[Shot]:
    """At least one shot; the first is the hook's, and the last is the call's where there are two or more."""
    seed = int.from_bytes(hashlib.sha256(str(order.brand.get("name")).encode()).digest()[:4])
    base = base_color(order.brand.get("color"), seed)
    given: list[Mapping[str, Any]] = order.creative.get("shots") or [
        {"startMs": 0, "endMs": order.duration_ms, "description": ""}
    ]
    found: list[Shot] = []
    for number, shot in enumerate(given):
        beat = _beat(shot, number, len(given), order.duration_ms)
        if found and beat == found[-1].beat and shot.get("beat") != beat:
            beat = _INSTEAD.get(beat, beat)
        found.append(
            Shot(
                number,
                int(shot["startMs"]),
                int(shot["endMs"]),
                str(shot.get("description") or ""),
                beat,
                order.visual_format,
                tone(base, beat, number),
            )
        )
    return found


def _beat(shot: Mapping[str, Any], number: int, count: int, duration_ms: int) -> str:
    named = shot.get("beat")
    if isinstance(named, str) and named in BEATS:
        return named
    if number == 0:
        return "hook"
    if number == count - 1:
        return "cta"
    share = int(shot["startMs"]) / max(1, duration_ms)
    return next(beat for until, beat in _USUAL if share < until)
