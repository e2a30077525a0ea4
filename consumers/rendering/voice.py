"""The voice-over: hibari, offline, its voice inside the package. It speaks English only.

Mono samples at 24 kHz, the same for the same text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from consumers.rendering.cues import Spoken

Samples = NDArray[np.float32]

SAMPLE_RATE: Final = 24_000
_SEED: Final = 1
_LEAD_MS: Final = 120
_FASTEST: Final = 1.25


@dataclass(frozen=True, slots=True)
class VoiceOver:
    """What is heard, from the clip's first moment on, and when each sentence is."""

    samples: Samples
    spoken: tuple[Spoken, ...]

    @property
    def duration_ms(self) -> int:
        """Until the last sentence has ended."""
        return -(-len(self.samples) * 1000 // SAMPLE_RATE)


def speaks(language: str) -> bool:
    """Whether there is a voice for the language."""
    return language.lower().partition("-")[0] == "en"


def sentences(script: str) -> list[str]:
    """The script's sentences, as the voice takes them."""
    found: list[str] = _hibari().split_sentences(script)
    return [" ".join(sentence.split()) for sentence in found]


def speak(said: Sequence[str], clip_ms: int) -> VoiceOver:
    """Say these in the clip's time, up to a quarter faster than usual where they are too long for it."""
    parts = _say(said, 1.0)
    room = clip_ms * SAMPLE_RATE // 1000 - _LEAD_MS * SAMPLE_RATE // 1000
    length = sum(map(len, parts))
    if length > room:
        parts = _say(said, min(_FASTEST, 1.02 * length / max(1, room)))
    silence = np.zeros(_LEAD_MS * SAMPLE_RATE // 1000, np.float32)
    at = len(silence)
    spoken = []
    for sentence, part in zip(said, parts, strict=True):
        spoken.append(Spoken(sentence, at * 1000 // SAMPLE_RATE, (at + len(part)) * 1000 // SAMPLE_RATE))
        at += len(part)
    return VoiceOver(np.concatenate([silence, *parts]), tuple(spoken))


def _say(said: Sequence[str], speed: float) -> list[Samples]:
    return [_hibari()(sentence, speed=speed, seed=_SEED) for sentence in said]


@cache
def _hibari() -> Any:
    # Imported here: it takes half a second, and what is not spoken does not need it.
    from hibari import Hibari

    return Hibari(threads=1)
