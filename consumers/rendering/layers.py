"""Text on plates, as layers to lay over a scene. Everything is inside the frame's safe area, whole, at 4.5:1 or more.

A plate is opaque, or so dark that white stands on it whatever is behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw

from consumers.rendering.frame import Box, Frame
from consumers.rendering.lettering import Fitted, Weight, fit, write
from consumers.rendering.palette import BLACK, WHITE, Color, Tone, contrast

_CAPTION_PLATE: Final = (12, 12, 16, 216)
_WORDMARK_UNITS: Final = 40
_CAPTION_UNITS: Final = 108
_GAP_UNITS: Final = 14


@dataclass(frozen=True, slots=True)
class Layer:
    """A picture with transparent parts, and where it lies."""

    image: Image.Image
    left: int
    top: int

    def over(self, picture: Image.Image) -> None:
        """Lay it over the picture."""
        picture.paste(self.image, (self.left, self.top), self.image)


def wordmark(frame: Frame, name: str, tone: Tone) -> Layer:
    """The brand's name, small, in the upper left."""
    safe = frame.safe
    room = Box(safe.left, safe.top, safe.right, safe.top + _u(frame, _WORDMARK_UNITS))
    return _plate(frame, name, room, tone, largest=19, padding=11, most_lines=1, centered=False)


def title(frame: Frame, text: str, tone: Tone) -> Layer:
    """A hook or a call, as large as it fits between the wordmark and the captions."""
    safe = frame.safe
    top = safe.top + _u(frame, _WORDMARK_UNITS + _GAP_UNITS)
    bottom = safe.bottom - _u(frame, _CAPTION_UNITS + _GAP_UNITS)
    room = Box(safe.left, top, safe.right, bottom)
    return _plate(frame, text, room, tone, largest=58, padding=22, most_lines=None, centered=True)


def body(frame: Frame, text: str, tone: Tone) -> Layer:
    """The text of a card, low in the safe area, and no higher than the wordmark."""
    safe = frame.safe
    room = Box(safe.left, safe.top + _u(frame, _WORDMARK_UNITS + _GAP_UNITS), safe.right, safe.bottom)
    layer = _plate(frame, text, room, tone, largest=36, padding=22, most_lines=None, centered=True)
    return Layer(layer.image, layer.left, room.bottom - layer.image.height)


def caption(frame: Frame, lines: Sequence[str]) -> Layer:
    """One cue, at the lower edge of the safe area."""
    safe = frame.safe
    room = Box(safe.left, safe.bottom - _u(frame, _CAPTION_UNITS), safe.right, safe.bottom)
    padding = _u(frame, 12)
    inner = Box(room.left + padding, room.top + padding, room.right - padding, room.bottom - padding)
    # The cue's own lines: they are even already.
    longest = max(lines, key=len)
    sizes = [fit(line, inner, largest=_u(frame, 33), most_lines=1).font.size for line in lines]
    fitted = fit(longest, inner, largest=int(min(sizes)), most_lines=1)
    width = round(max(fitted.font.getlength(line) for line in lines))
    fitted = Fitted(tuple(lines), fitted.font, width, round(len(lines) * fitted.line_height))
    plate = (fitted.width + 2 * padding, fitted.height + 2 * padding)
    image = Image.new("RGBA", plate, (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((0, 0, plate[0] - 1, plate[1] - 1), radius=_u(frame, 14), fill=_CAPTION_PLATE)
    write(draw, fitted, plate[0] / 2, padding, WHITE, centered=True)
    return Layer(image, (room.left + room.right - plate[0]) // 2, room.bottom - plate[1])


def plate_colors(tone: Tone) -> tuple[Color, Color]:
    """A plate that stands out from the scene, and what is written on it."""
    plate = tone.ink
    return plate, max((BLACK, WHITE), key=lambda ink: contrast(ink, plate))


def _plate(
    frame: Frame,
    text: str,
    room: Box,
    tone: Tone,
    *,
    largest: int,
    padding: int,
    most_lines: int | None,
    centered: bool,
) -> Layer:
    pad = _u(frame, padding)
    across, down = pad, round(pad * (0.7 if centered else 0.6))
    inner = Box(room.left + across, room.top + down, room.right - across, room.bottom - down)
    weight: Weight = "ExtraBold"
    fitted = fit(text, inner, largest=_u(frame, largest), weight=weight, most_lines=most_lines)
    size = (fitted.width + 2 * across, fitted.height + 2 * down)
    plate, ink = plate_colors(tone)
    image = Image.new("RGBA", size, (*plate, 0))
    draw = ImageDraw.Draw(image)
    radius = min(_u(frame, 22), size[1] // 2)
    draw.rounded_rectangle((0, 0, size[0] - 1, size[1] - 1), radius=radius, fill=(*plate, 255))
    write(draw, fitted, size[0] / 2 if centered else across, down, ink, centered=centered)
    if not centered:
        return Layer(image, room.left, room.top)
    return Layer(image, (room.left + room.right - size[0]) // 2, (room.top + room.bottom - size[1]) // 2)


def _u(frame: Frame, units: float) -> int:
    return max(1, round(units * frame.unit))
