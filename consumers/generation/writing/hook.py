"""The opening: a frame of the shape, in the length that the brief asks for."""

from typing import Final

from consumers.generation.analysis.hooks import hook_shape
from consumers.generation.gate.fit import spoken_seconds
from consumers.generation.gate.form import HOOK_CHARACTERS
from consumers.generation.planning.capability import figure_of
from consumers.generation.texts import words
from consumers.generation.writing.page import Line, Page
from consumers.generation.writing.script import item_number

_ROOM: Final = 0.9
_NEAR: Final = 12
_STALE: Final = 0.15


def choose_hook(page: Page) -> Line | None:
    """A hook of the brief's shape and length; a little off where no frame has the length. Its scene leads the page.

    One of the job's own, as long as any of the scenes that may lead has one; a later attempt takes a later scene's.
    """
    brief, can = page.brief, page.voice.can
    extra: dict[str, str] = {}
    for slot, facts in (("figure", can.figures), ("crowd", can.crowds), ("offer", can.offers)):
        if facts:
            fact = facts[brief.walk % len(facts)]
            extra[slot] = fact.rstrip(".") if slot == "offer" else figure_of(fact) or fact
    if brief.hook_shape == "list":
        extra["N"] = item_number(page)
    frames, key = page.lexicon.hooks[brief.hook_shape], f"hook/{brief.hook_shape}"
    found: list[Line] = []
    for scene in page.leads:
        lines = page.own_lines(frames, key, extra=extra, scenes=[scene])
        if line := _fresh(page, [line for line in lines if _fits(page, line) and not _off(page, line)]):
            found.append(line)
            if len(found) == page.attempt:
                break
    hook = found[-1] if found else _borrowed(page, list(page.lines(frames, key, extra=extra, scenes=page.leads)))
    if hook is not None:
        page.led_by(hook.scene)
    return hook


def _borrowed(page: Page, lines: list[Line]) -> Line | None:
    """A hook that another job may have as well, or one that is a little off."""
    lines = sorted((line for line in lines if _fits(page, line)), key=lambda line: (_off(page, line), not line.own))
    exact = [line for line in lines if not _off(page, line)]
    return _fresh(page, exact) or _fresh(page, lines[len(exact) :][:_NEAR])


def _fresh(page: Page, lines: list[Line]) -> Line | None:
    """The next of these in their turn; those first that sound like nothing said before."""
    turns = sorted(lines, key=lambda line: (line.frame in page.worn, page.stale(line.text) > _STALE))
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
