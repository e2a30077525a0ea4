"""The order's shots, each with the beat of the plan and its colours. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from PIL import Image

from consumers.rendering.palette import Tone, base_color, tone
from consumers.rendering.scenes import scene
from storage.renders import RenderOrder

BEATS: Final = frozenset(
    {"hook", "context", "problem", "agitate", "solution", "demo", "proof", "objection", "turn", "offer", "cta"}
)
# Where the plan is not known: what stands there most often, by where the shot begins.
_USUAL_BEATS: Final = (
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
    """At least one shot. Without a plan the first is the hook's, and the last of two or more is the call's."""
    seed = int.from_bytes(hashlib.sha256(str(order.brand.get("name")).encode()).digest()[:4])
    base = base_color(order.brand.get("color"), seed)
    given: list[Mapping[str, Any]] = order.creative.get("shots") or [
        {"startMs": 0, "endMs": order.duration_ms, "description": ""}
    ]
    found: list[Shot] = []
    for number, shot in enumerate(given):
        beat = _planned(shot, number, order.beats) or _usual(shot, number, len(given), order.duration_ms)
        if not order.beats and found and beat == found[-1].beat:
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


def _planned(shot: Mapping[str, Any], number: int, beats: Sequence[Mapping[str, Any]]) -> str | None:
    """The beat that the shot shows by the plan: hook and call where it has them, else what takes most of its time."""
    start, end = int(shot["startMs"]), int(shot["endMs"])
    shown = {
        str(beat["kind"]): min(end, int(beat["endMs"])) - max(start, int(beat["startMs"]))
        for beat in beats
        if beat["kind"] in BEATS and int(beat["startMs"]) < end and start < int(beat["endMs"])
    }
    if number == 0 and "hook" in shown:
        return "hook"
    return "cta" if "cta" in shown else max(shown, key=lambda kind: shown[kind], default=None)


def _usual(shot: Mapping[str, Any], number: int, count: int, duration_ms: int) -> str:
    if number == 0:
        return "hook"
    if number == count - 1:
        return "cta"
    share = int(shot["startMs"]) / max(1, duration_ms)
    return next(beat for until, beat in _USUAL_BEATS if share < until)
