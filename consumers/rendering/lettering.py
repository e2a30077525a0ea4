"""Text as pictures: what the font covers, and the largest size at which a text fits whole.

The typeface is Manrope. It covers Latin with its accents, Greek, Cyrillic and Vietnamese; no Arabic, Hebrew, Indic,
Thai, Chinese, Japanese or Korean, and no emoji.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, Literal

from PIL import ImageDraw, ImageFont

from consumers.rendering.frame import Box
from consumers.rendering.palette import Color

Weight = Literal["ExtraBold", "SemiBold"]

_LEADING: Final = 1.22
_INVISIBLE: Final = ("Cc", "Cf", "Cs", "Co", "Cn")


@dataclass(frozen=True, slots=True)
class Drawable:
    """What can be drawn of a text, and the scripts of the letters that cannot (`ARABIC`, `CJK`)."""

    text: str
    uncovered: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fitted:
    """Lines at a size at which all of them fit."""

    lines: tuple[str, ...]
    font: ImageFont.FreeTypeFont
    width: int
    height: int

    @property
    def line_height(self) -> float:
        """From one baseline to the next, in pixels."""
        return self.font.size * _LEADING


@cache
def font(weight: Weight, size: int) -> ImageFont.FreeTypeFont:
    """The face at a size in pixels."""
    file = files("font_manrope") / "files" / f"Manrope-{weight}.ttf"
    return ImageFont.truetype(str(file), size, layout_engine=ImageFont.Layout.BASIC)


def drawable(text: str) -> Drawable:
    """The text without what the font lacks: symbols and emoji are left out, a letter becomes its plain form or goes."""
    kept: list[str] = []
    uncovered: dict[str, None] = {}
    for character in unicodedata.normalize("NFC", text):
        if character.isspace():
            kept.append(" ")
        elif unicodedata.category(character) in _INVISIBLE:
            continue
        elif _covered(character):
            kept.append(character)
        else:
            plain = [part for part in unicodedata.normalize("NFKD", character) if _covered(part)]
            kept += plain
            if not plain and unicodedata.category(character)[0] == "L":
                uncovered[unicodedata.name(character, "UNKNOWN").split()[0].split("-")[0]] = None
    return Drawable(" ".join("".join(kept).split()), tuple(uncovered))


def fit(text: str, room: Box, *, largest: int, weight: Weight = "ExtraBold", most_lines: int | None = None) -> Fitted:
    """The text at the largest size, up to `largest` pixels, at which it is whole inside the room."""
    words = text.split()
    for size in range(largest, 0, -1):
        face = font(weight, size)
        lines = wrap(words, face, room.width)
        width = round(max((face.getlength(line) for line in lines), default=0))
        height = round(len(lines) * size * _LEADING)
        whole = width <= room.width and height <= room.height
        if size == 1 or (whole and (most_lines is None or len(lines) <= most_lines)):
            return Fitted(tuple(lines), face, width, height)
    raise AssertionError("the sizes end at 1")


def wrap(words: Sequence[str], face: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Lines no wider than that, as even as they come; a word that is wider stands alone."""
    lines = _greedy(words, face, width)
    if len(lines) < 2:
        return lines
    low, high = width // 2, width
    while high - low > 4:
        middle = (low + high) // 2
        tried = _greedy(words, face, middle)
        fits = len(tried) <= len(lines) and all(face.getlength(line) <= middle for line in tried)
        low, high = (low, middle) if fits else (middle, high)
    return _greedy(words, face, high)


def write(draw: ImageDraw.ImageDraw, fitted: Fitted, left: float, top: float, ink: Color, *, centered: bool) -> None:
    """Draw the lines from `top`; `left` is their middle when they are centered."""
    for number, line in enumerate(fitted.lines):
        # Anchored at the middle of the line's height, so that descenders stay inside the line.
        y = top + (number + 0.5) * fitted.line_height
        draw.text((left, y), line, font=fitted.font, fill=ink, anchor="mm" if centered else "lm")


def _greedy(words: Sequence[str], face: ImageFont.FreeTypeFont, width: int) -> list[str]:
    lines: list[str] = []
    for word in words:
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and face.getlength(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(word)
    return lines


@cache
def _covered(character: str) -> bool:
    # Pillow does not say what a font has; what it lacks is drawn as one and the same box.
    face = font("SemiBold", 24)
    mask, missing = face.getmask(character), face.getmask("\U0010ffff")
    return (mask.size, bytes(mask)) != (missing.size, bytes(missing))
