"""The bars on fit: length of speech, shots that tile the time. Pure."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from consumers.generation.gate.finding import Finding
from consumers.generation.texts import sentences, words

BAR: Final = "fit"
# Measured on hibari's voice, within five per cent.
_SECONDS_PER_CHARACTER: Final = 0.049
_SECONDS_PER_SENTENCE: Final = 0.87
LEAST_OF_SPOKEN: Final = 0.45
_CARDS: Final = (4, 10)


def spoken_seconds(text: str) -> float:
    """How long the voice takes to say it."""
    said = sentences(text)
    return _SECONDS_PER_CHARACTER * len(text) + _SECONDS_PER_SENTENCE * len(said)


def speech_fits(script: str, *, duration_ms: int, source_spoken_words: int) -> Iterator[Finding]:
    """The script can be spoken within the video, and is no stub beside what the source says."""
    seconds = spoken_seconds(script)
    if seconds * 1000 > duration_ms:
        yield Finding(BAR, "voiceOverScript", f"takes {seconds:.1f} s of {duration_ms / 1000:.1f} s")
    if len(words(script)) < LEAST_OF_SPOKEN * min(source_spoken_words, speakable_words(duration_ms)):
        yield Finding(BAR, "voiceOverScript", "a stub beside what the source says")


def speakable_words(duration_ms: int) -> int:
    """How many words the voice can say in that time, in sentences of ten words."""
    return int(duration_ms / 1000 / (5.6 * _SECONDS_PER_CHARACTER + _SECONDS_PER_SENTENCE / 10))


def shots_fit(
    shots: Sequence[tuple[int, int]], descriptions: Sequence[str], *, duration_ms: int, slideshow: bool
) -> Iterator[Finding]:
    """Shots start at 0, leave no gap, end with the video, and each says what is seen."""
    if not shots or shots[0][0] != 0 or shots[-1][1] != duration_ms or any(a[1] != b[0] for a, b in pairwise(shots)):
        yield Finding(BAR, "shots", "they do not cover the video without a gap")
    if any(start >= end for start, end in shots):
        yield Finding(BAR, "shots", "one has no length")
    if len(descriptions) != len(shots) or any(len(words(text)) < 3 for text in descriptions):
        yield Finding(BAR, "shots", "one does not say what is seen")
    if slideshow and not _CARDS[0] <= len(shots) <= _CARDS[1]:
        yield Finding(BAR, "shots", "a slideshow has 4 to 10 cards")
