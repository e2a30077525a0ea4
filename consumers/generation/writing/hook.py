"""The opening: a frame of the shape, in the length that the brief asks for."""

from typing import Final

from consumers.generation.analysis.hooks import hook_shape
from consumers.generation.gate.fit import spoken_seconds
from consumers.generation.gate.form import HOOK_CHARACTERS
from consumers.generation.planning.capability import ANGLES, figure_of
from consumers.generation.planning.walk import permutation
from consumers.generation.texts import words
from consumers.generation.writing.page import Line, Page
from consumers.generation.writing.script import item_number

_ROOM: Final = 0.9
_NEAR: Final = 12
_STALE: Final = 0.15


def choose_hook(page: Page) -> Line | None:
    """A hook of the brief's shape and length; a little off where no frame has the length."""
    brief, can = page.brief, page.voice.can
    extra: dict[str, str] = {}
    for slot, facts in (("figure", can.figures), ("crowd", can.crowds), ("offer", can.offers)):
        if facts:
            fact = facts[brief.walk % len(facts)]
            extra[slot] = fact.rstrip(".") if slot == "offer" else figure_of(fact) or fact
    if brief.hook_shape == "list":
        extra["N"] = item_number(page)
    frames = page.lexicon.hooks[brief.hook_shape]
    near: list[Line] = []
    for scene in page.scenes:
        lines = [
            line
            for line in page.lines(frames, f"hook/{brief.hook_shape}", extra=extra, scenes=[scene])
            if _fits(page, line)
        ]
        exact = [line for line in lines if not _off(page, line)]
        if line := _fresh(page, exact):
            return line
        near.extend(lines)
    near.sort(key=lambda line: _off(page, line))
    return _fresh(page, near[:_NEAR])


def _fresh(page: Page, lines: list[Line]) -> Line | None:
    """The next hook of the scene: every round through the angles meets another, until all have been."""
    lines.sort(key=lambda line: line.frame.text)
    start = (page.brief.walk // len(ANGLES) + 3 * (page.attempt - 1)) % max(1, len(lines))
    order = permutation(len(lines), f"{page.voice.name}/hooks/{page.brief.hook_shape}")
    turns = [lines[order[(start + step) % len(lines)]] for step in range(len(lines))]
    turns.sort(key=lambda line: (line.frame in page.worn, page.stale(line.text) > _STALE))
    return next((line for line in turns if not page.has(line.text) and _reads(page, line)), None)


def _fits(page: Page, line: Line) -> bool:
    seconds = page.brief.duration_ms / 1000 * _ROOM
    return len(line.text) <= HOOK_CHARACTERS and spoken_seconds(line.text) <= seconds


def _reads(page: Page, line: Line) -> bool:
    return hook_shape(line.text) == page.brief.hook_shape and page.proofread(line.text, "hook")


def _off(page: Page, line: Line) -> int:
    """By how many words the length is off what the brief asks for."""
    fewest, most = page.brief.hook_words
    count = len(words(line.text))
    return max(fewest - count, count - most, 0)
