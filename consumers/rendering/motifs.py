"""A motif for each beat, in two drawings: two shots of one beat in a row do not look the same.

They stand in the upper part, above the captions. None of them shows a kind of product: nobody has told what it is.
"""

import math
from collections.abc import Callable
from typing import Final

from consumers.rendering.canvas import WHITE, Canvas
from consumers.rendering.palette import mix

Motif = Callable[[Canvas], None]


def _rays(c: Canvas) -> None:
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


def _stripes(c: Canvas) -> None:
    """Broad slanted stripes: the same call, from closer."""
    start = c.choose.uniform(-0.1, 0.1)
    for number in range(-4, 5):
        x = start + 0.42 * number
        c.shape([(x, -1.2), (x + 0.2, -1.2), (x - 0.7, 1.6), (x - 0.9, 1.6)], mix(c.tone.top, c.tone.accent, 0.16))


def _window(c: Canvas) -> None:
    """A window with a low sun."""
    c.block(0, 0, 0.56, 0.5, 0.04, c.soft)
    c.circle(c.choose.uniform(-0.08, 0.08), 0.02, 0.13, c.tone.accent)
    c.shape([(-0.28, 0.25), (-0.1, 0.06), (0.05, 0.25)], mix(c.soft, c.tone.ink, 0.25))
    c.shape([(-0.08, 0.25), (0.14, 0.02), (0.28, 0.2), (0.28, 0.25)], mix(c.soft, c.tone.ink, 0.4))


def _table(c: Canvas) -> None:
    """A lamp over a table with a cup."""
    c.shape([(-0.07, -0.2), (0.07, -0.2), (0.26, 0.14), (-0.26, 0.14)], mix(c.tone.top, WHITE, 0.7))
    c.stroke([(0, -0.5), (0, -0.24)], 0.012, c.soft)
    c.shape([(-0.1, -0.19), (0.1, -0.19), (0.05, -0.29), (-0.05, -0.29)], c.tone.accent)
    c.block(0, 0.16, 0.66, 0.05, 0.02, mix(c.soft, c.tone.ink, 0.35))
    c.block(-0.22, 0.26, 0.035, 0.18, 0.01, mix(c.soft, c.tone.ink, 0.35))
    c.block(0.22, 0.26, 0.035, 0.18, 0.01, mix(c.soft, c.tone.ink, 0.35))
    c.circle(0.12, 0.075, 0.035, None, 0.014)
    c.block(0.05, 0.08, 0.12, 0.11, 0.025, c.tone.accent)


def _decline(c: Canvas) -> None:
    """A line that goes down in steps."""
    points = [(-0.34, -0.2)]
    for _number in range(5):
        points.append((points[-1][0] + 0.08, points[-1][1] + c.choose.uniform(0.1, 0.14)))
        points.append((points[-1][0] + 0.055, points[-1][1] - 0.055))
    c.stroke(points, 0.035, c.tone.accent)
    c.circle(0.3, -0.18, 0.11, c.soft)
    c.stroke([(0.26, -0.22), (0.34, -0.14)], 0.022, c.tone.ink)
    c.stroke([(0.34, -0.22), (0.26, -0.14)], 0.022, c.tone.ink)


def _pile(c: Canvas) -> None:
    """Things piled up until they lean."""
    lean = c.choose.uniform(0.02, 0.035)
    for number in range(5):
        x, y, half = -0.06 + lean * number**1.5, 0.2 - 0.11 * number, 0.2 - 0.022 * number
        shade = c.tone.accent if number % 2 else c.soft
        tilt = 0.012 * number
        c.shape(
            [(x - half, y - tilt), (x + half, y + tilt), (x + half, y + 0.09 + tilt), (x - half, y + 0.09 - tilt)],
            shade,
        )
    c.stroke([(0.28, -0.3), (0.36, -0.22)], 0.016, c.tone.ink)
    c.stroke([(0.31, -0.16), (0.4, -0.12)], 0.016, c.tone.ink)


def _tangle(c: Canvas) -> None:
    """A tangle."""
    points = []
    loops = c.choose.uniform(4.4, 5.4)
    for number in range(160):
        angle = number / 160 * math.tau * loops
        radius = 0.05 + 0.2 * abs(math.sin(number / 160 * 7.1))
        points.append((radius * math.cos(angle), 0.85 * radius * math.sin(angle * 1.07)))
    c.stroke(points, 0.018, c.tone.accent)


def _clock(c: Canvas) -> None:
    """A clock that runs."""
    c.circle(0, 0, 0.25, c.soft)
    c.circle(0, 0, 0.25, None, 0.03)
    for number in range(12):
        angle = number * math.tau / 12
        c.circle(0.19 * math.cos(angle), 0.19 * math.sin(angle), 0.011, c.tone.ink)
    at = c.choose.uniform(0.6, 2.4)
    c.stroke([(0, 0), (0.15 * math.cos(at), 0.15 * math.sin(at))], 0.02, c.tone.ink)
    c.stroke([(0, 0), (0.1 * math.cos(at + 2.1), 0.1 * math.sin(at + 2.1))], 0.026, c.tone.ink)


def _pedestal(c: Canvas) -> None:
    for radius, share in ((0.34, 0.25), (0.26, 0.5), (0.18, 0.8)):
        c.circle(0, 0, radius, mix(c.tone.top, WHITE, share))
    c.block(0, 0.28, 0.5, 0.07, 0.02, c.soft)


def _cube(c: Canvas) -> None:
    """The thing itself, whatever it is: a cube on a pedestal, in light."""
    _pedestal(c)
    top, left = mix(c.tone.accent, WHITE, 0.45), c.tone.accent
    c.shape([(0, -0.18), (0.18, -0.09), (0, 0.0), (-0.18, -0.09)], top)
    c.shape([(-0.18, -0.09), (0, 0.0), (0, 0.24), (-0.18, 0.14)], left)
    c.shape([(0.18, -0.09), (0, 0.0), (0, 0.24), (0.18, 0.14)], mix(c.tone.accent, c.tone.ink, 0.35))


def _spark(c: Canvas) -> None:
    """The same, as a sign: a tile with a spark."""
    _pedestal(c)
    c.block(0, 0.06, 0.34, 0.34, 0.08, c.tone.accent)
    points = []
    for number in range(8):
        angle, radius = number * math.tau / 8 - math.tau / 4, 0.12 if number % 2 == 0 else 0.04
        points.append((radius * math.cos(angle), 0.06 + radius * math.sin(angle)))
    c.shape(points, mix(c.tone.accent, WHITE, 0.85))


def _steps(c: Canvas) -> None:
    """A hand-held screen with steps on it."""
    c.block(0, 0.05, 0.3, 0.52, 0.045, mix(c.tone.ink, c.tone.accent, 0.3))
    c.block(0, 0.05, 0.265, 0.465, 0.032, mix(c.tone.top, WHITE, 0.6))
    done = c.choose.randrange(1, 4)
    for number in range(4):
        y = -0.115 + 0.11 * number
        c.circle(-0.08, y, 0.026, c.tone.accent if number < done else c.soft)
        c.block(0.035, y, 0.13, 0.028, 0.014, c.soft)


def _path(c: Canvas) -> None:
    """Three stations, the last of them reached."""
    places = [(-0.28, 0.2), (-0.02, 0.02), (0.26, -0.16)]
    shade = mix(c.soft, c.tone.ink, 0.22)
    c.stroke(places, 0.022, shade)
    for number, (x, y) in enumerate(places):
        c.circle(x, y, 0.07 + 0.025 * number, c.tone.accent if number == 2 else shade)
    x, y = places[2]
    c.stroke([(x - 0.05, y), (x - 0.015, y + 0.04), (x + 0.055, y - 0.04)], 0.024, mix(c.tone.top, WHITE, 0.8))


def _ticks(c: Canvas) -> None:
    """A list with ticks."""
    c.block(0, 0.02, 0.6, 0.52, 0.05, mix(c.tone.top, WHITE, 0.8))
    for number in range(3):
        y = -0.13 + 0.15 * number
        c.circle(-0.19, y, 0.045, c.tone.accent)
        c.stroke([(-0.21, y), (-0.195, y + 0.017), (-0.168, y - 0.017)], 0.012, WHITE)
        c.block(0.04, y, c.choose.uniform(0.24, 0.34), 0.034, 0.017, c.soft)


def _glass(c: Canvas) -> None:
    """A close look: a magnifying glass over a page."""
    c.block(-0.06, 0.0, 0.42, 0.52, 0.04, mix(c.tone.top, WHITE, 0.8))
    for number in range(4):
        c.block(-0.06, -0.16 + 0.1 * number, 0.3, 0.03, 0.015, c.soft)
    c.stroke([(0.16, 0.16), (0.3, 0.32)], 0.05, mix(c.tone.accent, c.tone.ink, 0.4))
    c.circle(0.08, 0.07, 0.14, mix(c.tone.top, WHITE, 0.5))
    c.stroke([(0.02, 0.07), (0.06, 0.115), (0.145, 0.025)], 0.026, c.tone.accent)
    c.circle(0.08, 0.07, 0.14, None, 0.028)


def _bubbles(c: Canvas) -> None:
    """Two who do not agree yet."""
    c.block(-0.1, -0.1, 0.44, 0.24, 0.06, c.soft)
    c.shape([(-0.24, 0.0), (-0.12, 0.0), (-0.26, 0.09)], c.soft)
    c.block(0.12, 0.17, 0.42, 0.22, 0.06, c.tone.accent)
    c.shape([(0.14, 0.26), (0.27, 0.26), (0.29, 0.35)], c.tone.accent)
    for number in range(3):
        c.circle(-0.2 + 0.1 * number, -0.1, 0.022, c.tone.ink)


def _scales(c: Canvas) -> None:
    """Scales that have not decided."""
    tilt = c.choose.choice((-0.06, 0.06))
    c.stroke([(0, -0.2), (0, 0.28)], 0.024, c.soft)
    c.block(0, 0.3, 0.3, 0.05, 0.02, c.soft)
    c.stroke([(-0.28, -0.14 - tilt), (0.28, -0.14 + tilt)], 0.024, c.tone.accent)
    c.circle(0, -0.14, 0.035, c.tone.accent)
    for x, y, weight in ((-0.28, -0.14 - tilt, 0.075), (0.28, -0.14 + tilt, 0.06)):
        c.stroke([(x, y), (x - 0.09, y + 0.2)], 0.01, c.soft)
        c.stroke([(x, y), (x + 0.09, y + 0.2)], 0.01, c.soft)
        c.circle(x, y + 0.15, weight, mix(c.tone.accent, c.tone.ink, 0.2))
        c.block(x, y + 0.22, 0.24, 0.045, 0.02, c.soft)


def _return(c: Canvas) -> None:
    """An arrow that turns round and rises."""
    arc = [(-0.28 + 0.2 * (1 - math.cos(a)), 0.16 * math.sin(a)) for a in (math.pi * n / 24 for n in range(25))]
    points = [(-0.28, -0.16), *arc, (0.12, -0.24)]
    c.stroke(points, 0.05, c.tone.accent)
    c.shape([(0.0, -0.2), (0.24, -0.2), (0.12, -0.36)], c.tone.accent)
    c.circle(-0.28, -0.16, 0.05, c.soft)


def _door(c: Canvas) -> None:
    """A door that opens on light."""
    c.block(0.02, -0.05, 0.4, 0.6, 0.02, mix(c.soft, c.tone.ink, 0.25))
    c.block(0.02, -0.04, 0.34, 0.56, 0.01, mix(c.tone.top, WHITE, 0.85))
    c.circle(0.05, -0.05, 0.1, mix(c.tone.accent, WHITE, 0.35))
    c.shape([(-0.15, -0.32), (-0.36, -0.25), (-0.36, 0.31), (-0.15, 0.24)], c.tone.accent)
    c.circle(-0.2, -0.02, 0.018, mix(c.tone.accent, c.tone.ink, 0.6))
    c.shape([(-0.15, 0.24), (0.19, 0.24), (0.28, 0.34), (-0.06, 0.34)], mix(c.tone.bottom, WHITE, 0.4))


def _parcel(c: Canvas) -> None:
    """A parcel with a ribbon."""
    c.block(0, 0.1, 0.46, 0.32, 0.03, c.soft)
    c.block(0, -0.08, 0.52, 0.1, 0.025, mix(c.soft, c.tone.ink, 0.15))
    c.block(0, 0.06, 0.07, 0.4, 0.0, c.tone.accent)
    c.circle(-0.08, -0.18, 0.07, None, 0.025)
    c.circle(0.08, -0.18, 0.07, None, 0.025)


def _envelope(c: Canvas) -> None:
    """An invitation, half out of its envelope."""
    c.block(0, -0.06, 0.42, 0.4, 0.02, mix(c.tone.top, WHITE, 0.85))
    for number in range(3):
        c.block(0, -0.18 + 0.07 * number, 0.26 - 0.05 * number, 0.024, 0.012, c.tone.accent)
    c.block(0, 0.14, 0.54, 0.34, 0.03, c.soft)
    c.stroke([(-0.25, -0.01), (0, 0.16), (0.25, -0.01)], 0.018, mix(c.soft, c.tone.ink, 0.3))


def _rings(c: Canvas) -> None:
    """Rings that lead to the middle, where the call stands."""
    for number in range(6, 0, -1):
        share = 0.1 if number % 2 else 0.2
        c.circle(0, 0.05, 0.13 * number, mix(mix(c.tone.top, c.tone.bottom, 0.5), c.tone.accent, share))


def _arrows(c: Canvas) -> None:
    """Broad arrows that point down to it."""
    for number in range(6):
        y = -0.75 + 0.34 * number
        shade = mix(mix(c.tone.top, c.tone.bottom, 0.5), c.tone.accent, 0.1 if number % 2 else 0.2)
        c.shape([(-0.7, y), (0, y + 0.4), (0.7, y), (0.7, y + 0.17), (0, y + 0.57), (-0.7, y + 0.17)], shade)


MOTIFS: Final[dict[str, tuple[Motif, Motif]]] = {
    "hook": (_rays, _stripes),
    "context": (_window, _table),
    "problem": (_decline, _pile),
    "agitate": (_tangle, _clock),
    "solution": (_cube, _spark),
    "demo": (_steps, _path),
    "proof": (_ticks, _glass),
    "objection": (_bubbles, _scales),
    "turn": (_return, _door),
    "offer": (_parcel, _envelope),
    "cta": (_rings, _arrows),
}
