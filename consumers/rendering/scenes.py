"""The picture of one shot: a backdrop, and a motif that differs with the beat. No text.

Shapes are drawn at twice the size and made smaller, which smooths their edges. Motifs stand in the upper part, above
the captions; what is below them a platform covers with its own controls.
"""

import math
import random
from collections.abc import Callable
from typing import Final

from PIL import Image, ImageDraw

from consumers.rendering.palette import Color, Tone, mix

_SMOOTH: Final = 2
# In shares of the picture: where a motif stands.
_CENTER: Final = (0.5, 0.335)
_SILHOUETTE_FORMATS: Final = frozenset({"talking_head", "testimonial", "skit"})
_SPLIT_FORMATS: Final = frozenset({"before_after", "comparison"})


class _Canvas:
    """Draws in units of the picture's width, around the motif's middle."""

    def __init__(self, width: int, height: int, tone: Tone, choose: random.Random) -> None:
        self.width, self.height = width * _SMOOTH, height * _SMOOTH
        self.tone, self.choose = tone, choose
        self.soft = mix(mix(tone.top, tone.bottom, 0.4), tone.accent, 0.28)
        self.image = _gradient(self.width, self.height, tone.top, tone.bottom)
        self.draw = ImageDraw.Draw(self.image)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Pixels of a point."""
        return self.width * (_CENTER[0] + x), self.height * _CENTER[1] + self.width * y

    def circle(self, x: float, y: float, radius: float, fill: Color | None, line: float = 0.0) -> None:
        left, top = self.at(x - radius, y - radius)
        right, bottom = self.at(x + radius, y + radius)
        if fill is not None:
            self.draw.ellipse((left, top, right, bottom), fill=fill)
        else:
            self.draw.ellipse((left, top, right, bottom), outline=self.tone.accent, width=self.pixels(line))

    def block(self, x: float, y: float, width: float, height: float, radius: float, fill: Color) -> None:
        """A rounded rectangle around a point."""
        box = (*self.at(x - width / 2, y - height / 2), *self.at(x + width / 2, y + height / 2))
        self.draw.rounded_rectangle(box, radius=self.pixels(radius), fill=fill)

    def stroke(self, points: list[tuple[float, float]], width: float, fill: Color) -> None:
        """A line with round ends and corners."""
        placed, thickness = [self.at(x, y) for x, y in points], self.pixels(width)
        self.draw.line(placed, fill=fill, width=thickness, joint="curve")
        for x, y in (placed[0], placed[-1]):
            half = thickness / 2
            self.draw.ellipse((x - half, y - half, x + half, y + half), fill=fill)

    def shape(self, points: list[tuple[float, float]], fill: Color) -> None:
        self.draw.polygon([self.at(x, y) for x, y in points], fill=fill)

    def pixels(self, length: float) -> int:
        return max(1, round(length * self.width))


def scene(width: int, height: int, *, beat: str, visual_format: str, tone: Tone, turn: int) -> Image.Image:
    """The picture of the `turn`-th shot. The same arguments give the same pixels."""
    canvas = _Canvas(width, height, tone, random.Random(f"{beat} {visual_format} {turn}"))  # noqa: S311 -- a look
    if visual_format in _SPLIT_FORMATS and beat not in ("hook", "cta"):
        canvas.shape([(0, -2), (0.6, -2), (0.6, 2), (-0.12, 2)], mix(tone.bottom, tone.accent, 0.16))
    _floor(canvas)
    _MOTIFS.get(beat, _demo)(canvas)
    if visual_format in _SILHOUETTE_FORMATS and beat not in ("hook", "cta", "offer"):
        _presenter(canvas)
    return canvas.image.resize((width, height), Image.Resampling.BOX)


def _gradient(width: int, height: int, top: Color, bottom: Color) -> Image.Image:
    column = Image.new("RGB", (1, height))
    column.putdata([mix(top, bottom, y / (height - 1)) for y in range(height)])
    return column.resize((width, height))


def _floor(c: _Canvas) -> None:
    """Soft discs below, where only the platform's controls are."""
    for number in range(3):
        x = c.choose.uniform(-0.5, 0.5)
        c.circle(x, 0.95 + 0.1 * number, c.choose.uniform(0.22, 0.42), mix(c.tone.bottom, c.soft, 0.35 + 0.2 * number))


def _hook(c: _Canvas) -> None:
    """Rays from a low point: look here."""
    turn = c.choose.uniform(0, math.tau)
    for number in range(14):
        angle = turn + number * math.tau / 14
        spread = math.tau / 56
        far = 1.9
        c.shape(
            [
                (0, 0.12),
                (far * math.cos(angle - spread), 0.12 + far * math.sin(angle - spread)),
                (far * math.cos(angle + spread), 0.12 + far * math.sin(angle + spread)),
            ],
            mix(c.tone.top, c.tone.accent, 0.16),
        )


def _context(c: _Canvas) -> None:
    """A window with a low sun."""
    c.block(0, 0, 0.56, 0.5, 0.04, c.soft)
    c.circle(c.choose.uniform(-0.08, 0.08), 0.02, 0.13, c.tone.accent)
    c.shape([(-0.28, 0.25), (-0.1, 0.06), (0.05, 0.25)], mix(c.soft, c.tone.ink, 0.25))
    c.shape([(-0.08, 0.25), (0.14, 0.02), (0.28, 0.2), (0.28, 0.25)], mix(c.soft, c.tone.ink, 0.4))


def _problem(c: _Canvas) -> None:
    """A line that goes down in steps."""
    points = [(-0.34, -0.2)]
    for _number in range(5):
        points.append((points[-1][0] + 0.08, points[-1][1] + c.choose.uniform(0.1, 0.14)))
        points.append((points[-1][0] + 0.055, points[-1][1] - 0.055))
    c.stroke(points, 0.035, c.tone.accent)
    c.circle(0.3, -0.18, 0.11, c.soft)
    c.stroke([(0.26, -0.22), (0.34, -0.14)], 0.022, c.tone.ink)
    c.stroke([(0.34, -0.22), (0.26, -0.14)], 0.022, c.tone.ink)


def _agitate(c: _Canvas) -> None:
    """A tangle."""
    points = []
    loops = c.choose.uniform(4.4, 5.4)
    for number in range(160):
        angle = number / 160 * math.tau * loops
        radius = 0.05 + 0.2 * abs(math.sin(number / 160 * 7.1))
        points.append((radius * math.cos(angle), 0.85 * radius * math.sin(angle * 1.07)))
    c.stroke(points, 0.018, c.tone.accent)


def _solution(c: _Canvas) -> None:
    """The thing itself, on a pedestal, in light."""
    for radius, share in ((0.34, 0.25), (0.26, 0.5), (0.18, 0.8)):
        c.circle(0, 0, radius, mix(c.tone.top, (255, 255, 255), share))
    c.block(0, 0.28, 0.5, 0.07, 0.02, c.soft)
    if c.choose.random() < 0.5:
        c.block(0, 0.04, 0.2, 0.38, 0.045, c.tone.accent)
        c.block(0, -0.19, 0.1, 0.09, 0.02, mix(c.tone.accent, c.tone.ink, 0.5))
    else:
        c.block(0, 0.09, 0.3, 0.28, 0.06, c.tone.accent)
        c.block(0, -0.09, 0.31, 0.09, 0.03, mix(c.tone.accent, c.tone.ink, 0.5))
    c.block(0, 0.08, 0.12, 0.1, 0.015, mix(c.tone.accent, (255, 255, 255), 0.75))


def _demo(c: _Canvas) -> None:
    """A hand-held screen with steps on it."""
    c.block(0, 0.02, 0.34, 0.6, 0.05, mix(c.tone.ink, c.tone.accent, 0.3))
    c.block(0, 0.02, 0.3, 0.54, 0.035, mix(c.tone.top, (255, 255, 255), 0.6))
    done = c.choose.randrange(1, 4)
    for number in range(4):
        y = -0.16 + 0.12 * number
        c.circle(-0.09, y, 0.028, c.tone.accent if number < done else c.soft)
        c.block(0.035, y, 0.15, 0.03, 0.015, c.soft)


def _proof(c: _Canvas) -> None:
    """A list with ticks."""
    c.block(0, 0.02, 0.6, 0.52, 0.05, mix(c.tone.top, (255, 255, 255), 0.8))
    for number in range(3):
        y = -0.13 + 0.15 * number
        c.circle(-0.19, y, 0.045, c.tone.accent)
        c.stroke([(-0.21, y), (-0.195, y + 0.017), (-0.168, y - 0.017)], 0.012, (255, 255, 255))
        c.block(0.04, y, c.choose.uniform(0.24, 0.34), 0.034, 0.017, c.soft)


def _objection(c: _Canvas) -> None:
    """Two who do not agree yet."""
    c.block(-0.1, -0.1, 0.44, 0.24, 0.06, c.soft)
    c.shape([(-0.24, 0.0), (-0.12, 0.0), (-0.26, 0.09)], c.soft)
    c.block(0.12, 0.17, 0.42, 0.22, 0.06, c.tone.accent)
    c.shape([(0.14, 0.26), (0.27, 0.26), (0.29, 0.35)], c.tone.accent)
    for number in range(3):
        c.circle(-0.2 + 0.1 * number, -0.1, 0.022, c.tone.ink)


def _turn(c: _Canvas) -> None:
    """An arrow that turns round and rises."""
    arc = [(-0.28 + 0.2 * (1 - math.cos(a)), 0.16 * math.sin(a)) for a in (math.pi * n / 24 for n in range(25))]
    points = [(-0.28, -0.16), *arc, (0.12, -0.24)]
    c.stroke(points, 0.05, c.tone.accent)
    c.shape([(0.0, -0.2), (0.24, -0.2), (0.12, -0.36)], c.tone.accent)
    c.circle(-0.28, -0.16, 0.05, c.soft)


def _offer(c: _Canvas) -> None:
    """A parcel with a ribbon."""
    c.block(0, 0.1, 0.46, 0.32, 0.03, c.soft)
    c.block(0, -0.08, 0.52, 0.1, 0.025, mix(c.soft, c.tone.ink, 0.15))
    c.block(0, 0.06, 0.07, 0.4, 0.0, c.tone.accent)
    c.circle(-0.08, -0.18, 0.07, None, 0.025)
    c.circle(0.08, -0.18, 0.07, None, 0.025)


def _cta(c: _Canvas) -> None:
    """Rings that lead to the middle, where the call stands."""
    for number in range(6, 0, -1):
        share = 0.1 if number % 2 else 0.2
        c.circle(0, 0.05, 0.13 * number, mix(mix(c.tone.top, c.tone.bottom, 0.5), c.tone.accent, share))


def _presenter(c: _Canvas) -> None:
    """Head and shoulders, below the captions."""
    skin, cloth = mix(c.tone.accent, (255, 255, 255), 0.35), mix(c.tone.accent, (0, 0, 0), 0.45)
    c.block(0, 1.42, 0.78, 0.9, 0.28, cloth)
    c.block(0, 0.95, 0.15, 0.2, 0.05, mix(skin, cloth, 0.3))
    c.circle(0, 0.75, 0.16, skin)
    c.shape([(-0.16, 0.73), (-0.11, 0.62), (0.0, 0.575), (0.12, 0.62), (0.16, 0.73), (0.05, 0.65)], cloth)


_MOTIFS: Final[dict[str, Callable[[_Canvas], None]]] = {
    "hook": _hook,
    "context": _context,
    "problem": _problem,
    "agitate": _agitate,
    "solution": _solution,
    "demo": _demo,
    "proof": _proof,
    "objection": _objection,
    "turn": _turn,
    "offer": _offer,
    "cta": _cta,
}
