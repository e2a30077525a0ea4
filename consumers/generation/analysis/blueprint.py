"""What a source is made of: structure and abstract premise, and none of its sentences."""

from dataclasses import dataclass
from typing import Final, Literal

HOOK_SHAPES: Final = (
    "question",
    "directive",
    "contrarian",
    "bold_claim",
    "statistic",
    "list",
    "tutorial",
    "story",
    "pov",
    "relatable",
    "before_after",
    "callout",
    "social_proof",
    "reveal",
    "offer",
)
VISUAL_FORMATS: Final = (
    "talking_head",
    "demo",
    "testimonial",
    "unboxing",
    "problem_solution",
    "before_after",
    "tutorial",
    "comparison",
    "skit",
    "lifestyle",
    "text_wall",
    "carousel",
)
BEATS: Final = (
    "hook",
    "context",
    "problem",
    "agitate",
    "solution",
    "demo",
    "proof",
    "objection",
    "turn",
    "offer",
    "cta",
)
CtaPosition = Literal["early", "mid", "late", "none"]
Pacing = Literal["fast", "medium", "slow"]

_EARLY: Final = 0.33
_LATE: Final = 0.66
_FAST_MS: Final = 2_000
_MEDIUM_MS: Final = 4_000


@dataclass(frozen=True, slots=True)
class Beat:
    """One stretch of the story."""

    kind: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What goes downstream. `cta_start` is a share of the duration, None without a call to action.

    `premise` are nouns and other content words that the post is about, most telling first, none of them a name;
    `themes` say the same in words of our own, whatever the language of the post.
    """

    hook_shape: str
    hook_words: int
    beats: tuple[Beat, ...]
    duration_ms: int
    shots: tuple[tuple[int, int], ...]
    visual_format: str
    cta_kind: str | None
    cta_start: float | None
    premise: tuple[str, ...]
    themes: tuple[str, ...]
    spoken_words: int
    list_items: int

    @property
    def cta_position(self) -> CtaPosition:
        """In which third of the post the call to action starts."""
        return position_of(self.cta_start)

    @property
    def mean_shot_ms(self) -> float:
        """The mean length of a shot."""
        return self.duration_ms / len(self.shots)

    @property
    def pacing(self) -> Pacing:
        """fast (mean shot under 2 s), medium (2 to 4 s) or slow."""
        mean = self.mean_shot_ms
        return "fast" if mean < _FAST_MS else "medium" if mean <= _MEDIUM_MS else "slow"


def position_of(cta_start: float | None) -> CtaPosition:
    """The third in which a share of the duration lies."""
    if cta_start is None:
        return "none"
    return "early" if cta_start < _EARLY else "late" if cta_start > _LATE else "mid"
