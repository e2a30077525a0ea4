"""The contact sheet: every shot with its time, its beat and what is seen, on one picture."""

from collections.abc import Sequence
from typing import Final

from PIL import Image, ImageDraw

from consumers.rendering.frame import Box
from consumers.rendering.lettering import Fitted, fit, font, wrap, write
from consumers.rendering.palette import BLACK, WHITE, mix
from consumers.rendering.shots import Shot

_COLUMN: Final = 270
_PICTURE_HEIGHT: Final = 480
_GAP: Final = 24
_HEADER: Final = 134
_MOST_COLUMNS: Final = 4
_LEAST_COLUMNS: Final = 3
_PAPER: Final = (250, 250, 248)
_QUIET: Final = mix(BLACK, WHITE, 0.35)


def storyboard(headline: str, facts: str, shots: Sequence[Shot], pictures: Sequence[Image.Image]) -> Image.Image:
    """`pictures` are what is seen in each shot, in any 9:16 size; `facts` is one line about the clip."""
    columns = max(_LEAST_COLUMNS, -(-len(shots) // -(-len(shots) // _MOST_COLUMNS)))
    width = columns * (_COLUMN + _GAP) + _GAP
    notes = [_note(shot) for shot in shots]
    rows = [range(start, min(start + columns, len(shots))) for start in range(0, len(shots), columns)]
    heights = [_PICTURE_HEIGHT + 16 + max(notes[number].height for number in row) + 34 + _GAP for row in rows]
    sheet = Image.new("RGB", (width, _HEADER + sum(heights)), _PAPER)
    draw = ImageDraw.Draw(sheet)
    head = fit(headline, Box(_GAP, 18, width - _GAP, 84), largest=34)
    write(draw, head, _GAP, 18, BLACK, centered=False)
    line = fit(facts, Box(_GAP, 92, width - _GAP, 120), largest=19, weight="SemiBold", most_lines=1)
    write(draw, line, _GAP, 94, _QUIET, centered=False)
    top = _HEADER
    for row, height in zip(rows, heights, strict=True):
        for place, number in enumerate(row):
            left = _GAP + place * (_COLUMN + _GAP)
            picture = pictures[number].resize((_COLUMN, _PICTURE_HEIGHT), Image.Resampling.LANCZOS)
            sheet.paste(picture, (left, top), _corners())
            shot, below = shots[number], top + _PICTURE_HEIGHT + 12
            time = f"{shot.start_ms / 1000:.1f}–{shot.end_ms / 1000:.1f} s"
            draw.text((left, below + 12), time, font=font("ExtraBold", 18), fill=BLACK, anchor="lm")
            draw.text((left + _COLUMN, below + 12), shot.beat, font=font("SemiBold", 17), fill=_QUIET, anchor="rm")
            write(draw, notes[number], left, below + 30, BLACK, centered=False)
        top += height
    return sheet


def _note(shot: Shot) -> Fitted:
    face = font("SemiBold", 17)
    lines = wrap(shot.description.split(), face, _COLUMN)
    if any(face.getlength(line) > _COLUMN for line in lines):
        # A word that is wider than the column.
        return fit(shot.description, Box(0, 0, _COLUMN, 400), largest=16, weight="SemiBold")
    return Fitted(tuple(lines), face, _COLUMN, round(len(lines) * 17 * 1.22))


def _corners() -> Image.Image:
    mask = Image.new("L", (2 * _COLUMN, 2 * _PICTURE_HEIGHT), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, 2 * _COLUMN - 1, 2 * _PICTURE_HEIGHT - 1), radius=36, fill=255)
    return mask.resize((_COLUMN, _PICTURE_HEIGHT))
