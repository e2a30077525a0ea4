"""What scenes are drawn on: a gradient, and shapes in units of the picture's width around the motif's middle.

Shapes are drawn at twice the size and made smaller, which smooths their edges.
"""

import random
from typing import Final

from PIL import Image, ImageDraw

from consumers.rendering.palette import Color, Tone, mix

_SMOOTH: Final = 2
# In shares of the picture: where a motif stands.
_CENTER: Final = (0.5, 0.335)
WHITE: Final[Color] = (255, 255, 255)


class Canvas:
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

    def shrunk(self, width: int, height: int) -> Image.Image:
        """The picture in its size."""
        return self.image.resize((width, height), Image.Resampling.BOX)

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


def _gradient(width: int, height: int, top: Color, bottom: Color) -> Image.Image:
    column = Image.new("RGB", (1, height))
    column.putdata([mix(top, bottom, y / (height - 1)) for y in range(height)])
    return column.resize((width, height))
