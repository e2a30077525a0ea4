"""Colours of one creative: from the brand's colour where it has one. Text on them has a contrast of 4.5:1 or more."""

import colorsys
import re
from dataclasses import dataclass
from typing import Final

Color = tuple[int, int, int]

MIN_CONTRAST: Final = 4.5
WHITE: Final[Color] = (255, 255, 255)
BLACK: Final[Color] = (17, 17, 22)
_HEX: Final = re.compile(r"#?([0-9a-fA-F]{6}|[0-9a-fA-F]{3})")
# For brands without a colour: far apart, and none that looks ill under skin or food.
_HOUSE: Final[tuple[Color, ...]] = (
    (79, 70, 229),
    (219, 39, 119),
    (13, 128, 120),
    (234, 88, 12),
    (37, 99, 235),
    (147, 51, 234),
    (190, 24, 62),
    (21, 128, 61),
)


@dataclass(frozen=True, slots=True)
class Tone:
    """The colours of one scene. `ink` is readable on `top`, on `bottom` and on everything between them."""

    top: Color
    bottom: Color
    ink: Color
    accent: Color
    """For shapes only: nothing is written in it or on it."""


def parse(text: object) -> Color | None:
    """The colour of `#rgb` or `#rrggbb`, with or without the mark; None for anything else."""
    match = _HEX.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        return None
    digits = match.group(1) if len(match.group(1)) == 6 else "".join(2 * digit for digit in match.group(1))
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)


def contrast(one: Color, other: Color) -> float:
    """WCAG 2 contrast, 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def base_color(brand_color: object, seed: int) -> Color:
    """The brand's colour, or one of the house's."""
    return parse(brand_color) or _HOUSE[seed % len(_HOUSE)]


def tone(base: Color, beat: str, turn: int) -> Tone:
    """The colours of a beat's scene; `turn` counts the scenes, so that two of one beat differ."""
    hue, light, saturation = colorsys.rgb_to_hls(*(part / 255 for part in base))
    shift = 0.015 * (turn % 3 - 1)
    if beat in ("hook", "cta", "offer"):
        top, bottom = base, _hls(hue + 0.01, light * 0.78, saturation)
    elif beat in ("problem", "agitate", "objection"):
        top, bottom = _hls(hue + shift, 0.2, saturation * 0.35), _hls(hue + shift + 0.06, 0.11, saturation * 0.5)
    elif beat in ("proof", "context"):
        top, bottom = _hls(hue + shift, 0.97, saturation * 0.6), _hls(hue + shift - 0.04, 0.9, saturation * 0.7)
    else:
        top, bottom = _hls(hue + shift + 0.04, 0.88, saturation * 0.8), _hls(hue + shift, 0.78, saturation * 0.8)
    top, bottom, ink = _readable(top, bottom)
    return Tone(top, bottom, ink, _accent(hue + shift, saturation, top, bottom))


def mix(one: Color, other: Color, share: float) -> Color:
    """So much of the other in the one."""
    return tuple(round(a + (b - a) * share) for a, b in zip(one, other, strict=True))  # type: ignore[return-value]


def _readable(top: Color, bottom: Color) -> tuple[Color, Color, Color]:
    """The ends of a gradient, moved as little as it takes, and the ink that is readable on both."""
    ink = max((WHITE, BLACK), key=lambda one: min(contrast(one, top), contrast(one, bottom)))
    away = BLACK if ink == WHITE else WHITE
    while min(contrast(ink, top), contrast(ink, bottom)) < MIN_CONTRAST + 0.3:
        top, bottom = mix(top, away, 0.06), mix(bottom, away, 0.06)
    return top, bottom, ink


def _accent(hue: float, saturation: float, top: Color, bottom: Color) -> Color:
    """A shade of the base that stands out from the scene."""
    shades = [_hls(hue, light, max(saturation, 0.25)) for light in (0.32, 0.45, 0.6, 0.75)]
    return max(shades, key=lambda shade: min(contrast(shade, top), contrast(shade, bottom)))


def _hls(hue: float, light: float, saturation: float) -> Color:
    parts = colorsys.hls_to_rgb(hue % 1.0, min(1.0, max(0.0, light)), min(1.0, max(0.0, saturation)))
    return round(parts[0] * 255), round(parts[1] * 255), round(parts[2] * 255)


def _luminance(color: Color) -> float:
    parts = [part / 255 for part in color]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
