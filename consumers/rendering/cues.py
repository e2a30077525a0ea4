"""Captions: what is said, cut into pieces that can be read. Pure.

At most two lines of 42 characters, at least 0.83 s, at most 17 characters a second, one after the other. Lines are
shorter than they may be: the same cues are burnt into a picture that is 9 cm wide.
"""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MAX_LINE_CHARACTERS: Final = 42
MAX_LINES: Final = 2
MIN_MS: Final = 830
MAX_CHARACTERS_PER_SECOND: Final = 17
_LINE_CHARACTERS: Final = 24


@dataclass(frozen=True, slots=True)
class Spoken:
    """A sentence and when it is said."""

    text: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Cue:
    """What is shown from one moment to another."""

    lines: tuple[str, ...]
    start_ms: int
    end_ms: int


def needed_ms(sentences: Sequence[str]) -> int:
    """The least time in which these can be read."""
    return sum(_reading_ms(lines) for sentence in sentences for lines in _pieces(sentence))


def evenly(sentences: Sequence[str], clip_ms: int) -> list[Spoken]:
    """Sentences that nobody says, spread over the clip by their length."""
    lengths = [max(1, len(sentence)) for sentence in sentences]
    at, whole = 0, sum(lengths)
    spread = []
    for sentence, length in zip(sentences, lengths, strict=True):
        spread.append(Spoken(sentence, clip_ms * at // whole, clip_ms * (at + length) // whole))
        at += length
    return spread


def cues(spoken: Sequence[Spoken], clip_ms: int) -> list[Cue]:
    """The cues of what is said, as near to its times as reading allows. The clip lasts `needed_ms` or longer."""
    wanted: list[tuple[tuple[str, ...], int]] = []
    for one in spoken:
        pieces = _pieces(one.text)
        said = 0
        whole = sum(map(_length, pieces))
        for lines in pieces:
            wanted.append((lines, one.start_ms + (one.end_ms - one.start_ms) * said // whole))
            said += _length(lines)
    starts: list[int] = []
    free_from = 0
    for lines, start in wanted:
        starts.append(max(start, free_from))
        free_from = starts[-1] + _reading_ms(lines)
    until = clip_ms
    for number in range(len(wanted) - 1, -1, -1):
        starts[number] = min(starts[number], until - _reading_ms(wanted[number][0]))
        until = starts[number]
    ends = [*starts[1:], min(clip_ms, max(spoken[-1].end_ms, free_from))] if starts else []
    return [
        Cue(lines, start, max(end, start + _reading_ms(lines)))
        for (lines, _), start, end in zip(wanted, starts, ends, strict=True)
    ]


def vtt(shown: Sequence[Cue]) -> str:
    """The cues as a WebVTT file."""
    blocks = ["WEBVTT"]
    for cue in shown:
        text = "\n".join(_escaped(line) for line in cue.lines)
        blocks.append(f"{_time(cue.start_ms)} --> {_time(cue.end_ms)}\n{text}")
    return "\n\n".join(blocks) + "\n"


def _pieces(sentence: str) -> list[tuple[str, ...]]:
    """The sentence cut into cues: as few as hold it, each about as long as the next."""
    lines = _wrapped(sentence)
    count = math.ceil(len(lines) / MAX_LINES)
    for width in range(math.ceil(len(sentence) / max(1, count)), MAX_LINES * _LINE_CHARACTERS + 2):
        parts = textwrap.wrap(sentence, width, break_on_hyphens=False, break_long_words=False)
        cut = [_wrapped(part) for part in parts]
        if len(parts) == count and all(len(one) <= MAX_LINES for one in cut):
            return cut
    return [tuple(lines[number : number + MAX_LINES]) for number in range(0, len(lines), MAX_LINES)]


def _wrapped(text: str) -> tuple[str, ...]:
    """Lines as few and then as even as they come; a word that is longer than a line is cut."""
    lines = textwrap.wrap(text, _LINE_CHARACTERS, break_on_hyphens=False)
    for width in range(math.ceil(len(text) / max(1, len(lines))), _LINE_CHARACTERS):
        tried = textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=False)
        if len(tried) == len(lines) and max(map(len, tried)) <= _LINE_CHARACTERS:
            return tuple(tried)
    return tuple(lines)


def _reading_ms(lines: Sequence[str]) -> int:
    return max(MIN_MS, math.ceil(_length(lines) * 1000 / MAX_CHARACTERS_PER_SECOND))


def _length(lines: Sequence[str]) -> int:
    # A line break is read as the space that it stands for.
    return sum(map(len, lines)) + len(lines) - 1


def _escaped(line: str) -> str:
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _time(at_ms: int) -> str:
    seconds, ms = divmod(at_ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{ms:03}"
