"""The picture of one shot: a backdrop, a motif that differs with the beat, and a presenter where the format has one.

No text. What is below the motif a platform covers with its own controls.
"""

import random
from typing import Final

from PIL import Image

from consumers.rendering.canvas import WHITE, Canvas
from consumers.rendering.motifs import MOTIFS
from consumers.rendering.palette import Color, Tone, mix

_SILHOUETTE_FORMATS: Final = frozenset({"talking_head", "testimonial", "skit"})
_SPLIT_FORMATS: Final = frozenset({"before_after", "comparison"})
# Nobody in particular, and of the colour of no brand.
_SKIN: Final[Color] = (214, 160, 128)
_HAIR: Final[Color] = (58, 42, 38)


def scene(width: int, height: int, *, beat: str, visual_format: str, tone: Tone, turn: int) -> Image.Image:
    """The picture of the `turn`-th shot, in another drawing than the shot before. Same arguments, same pixels."""
    canvas = Canvas(width, height, tone, random.Random(f"{beat} {visual_format} {turn}"))  # noqa: S311 -- a look
    if visual_format in _SPLIT_FORMATS and beat not in ("hook", "cta"):
        canvas.shape([(0, -2), (0.6, -2), (0.6, 2), (-0.12, 2)], mix(tone.bottom, tone.accent, 0.16))
    _floor(canvas)
    MOTIFS.get(beat, MOTIFS["demo"])[turn % 2](canvas)
    if visual_format in _SILHOUETTE_FORMATS and beat not in ("hook", "cta", "offer"):
        _presenter(canvas)
    return canvas.shrunk(width, height)


def _floor(c: Canvas) -> None:
    """Soft discs below, where only the platform's controls are."""
    for number in range(3):
        x = c.choose.uniform(-0.5, 0.5)
        c.circle(x, 0.95 + 0.1 * number, c.choose.uniform(0.22, 0.42), mix(c.tone.bottom, c.soft, 0.35 + 0.2 * number))


def _presenter(c: Canvas) -> None:
    """Head and shoulders, below the captions."""
    skin, hair, cloth = mix(_SKIN, c.tone.top, 0.1), mix(_HAIR, c.tone.accent, 0.12), mix(c.tone.accent, (0, 0, 0), 0.3)
    c.circle(0, 0.765, 0.185, hair)
    c.block(0, 0.865, 0.37, 0.2, 0.06, hair)
    c.block(0, 0.985, 0.14, 0.2, 0.05, mix(skin, _HAIR, 0.25))
    c.block(0, 1.46, 0.78, 0.9, 0.28, cloth)
    c.circle(0, 1.03, 0.075, mix(skin, _HAIR, 0.25))
    c.circle(0, 0.82, 0.15, skin)
    c.circle(-0.03, 0.685, 0.115, hair)
    c.circle(0.075, 0.695, 0.085, hair)
    c.block(0, 0.905, 0.06, 0.016, 0.008, mix(skin, (160, 60, 50), 0.45))
    for x in (-0.055, 0.055):
        c.circle(x, 0.825, 0.013, mix(_HAIR, WHITE, 0.05))
