"""What one variation must be."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from consumers.generation.analysis.blueprint import Beat

MAX_VARIATIONS: Final = 10
# More than half of the first three, four, … variations, and three of the first five.
_OWE_A_FACT: Final = (0, 2, 3, 5, 7, 9)


@dataclass(frozen=True, slots=True)
class VariationBrief:
    """Structure by construction: whoever writes the words, these hold.

    `seed` decides every choice that is still open. `walk` is the variation's place among all of its project: who takes
    turns by it repeats nothing until the turns are through. `hook_words` are the fewest and the most words of the hook;
    `least_words` and `word_budget` those of the script. A list hook promises `list_items` things.
    """

    index: int
    mode: str
    seed: int
    walk: int
    hook_shape: str
    substituted_for: str | None
    angle: str
    beats: tuple[Beat, ...]
    shots: tuple[tuple[int, int], ...]
    duration_ms: int
    visual_format: str
    premise: tuple[str, ...]
    themes: tuple[str, ...]
    hook_words: tuple[int, int]
    least_words: int
    word_budget: int
    list_items: int
    slideshow: bool

    @property
    def ordinal(self) -> int:
        """How many jobs the project had before this one."""
        return self.walk // MAX_VARIATIONS

    @property
    def fact_turn(self) -> int:
        """How many of the variations before it owe a fact."""
        return sum(index < self.index for index in _OWE_A_FACT)

    def owed_fact(self, facts: Sequence[str]) -> str | None:
        """The fact of the brand that the variation should state; None where it may do without.

        A brand with one fact is not made to say it in every variation: its first one does.
        """
        if self.index not in _OWE_A_FACT or not facts or (len(facts) == 1 and self.index):
            return None
        return facts[(self.ordinal + self.fact_turn) % len(facts)]

    @property
    def cta_start(self) -> float | None:
        """Where the call to action starts, as a share of the duration; None where it has no beat of its own."""
        start = next((beat.start_ms for beat in self.beats if beat.kind == "cta"), None)
        return None if start is None else start / self.duration_ms

    def beat_of(self, start_ms: int, end_ms: int) -> str:
        """The beat that a shot shows: the hook that it opens with, a call to action, else what takes most of its time.

        Rendering draws shots by the same rule, so that a picture and its description speak of one beat.
        """
        shown: dict[str, int] = {}
        for beat in self.beats:
            if beat.start_ms < end_ms and start_ms < beat.end_ms:
                shown[beat.kind] = min(end_ms, beat.end_ms) - max(start_ms, beat.start_ms)
        if start_ms == 0 and "hook" in shown:
            return "hook"
        return "cta" if "cta" in shown else max(shown, key=lambda kind: shown[kind], default=self.beats[-1].kind)
