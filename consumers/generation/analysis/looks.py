"""The visual format of a post. Pure."""

from typing import Final

from consumers.generation.analysis.signs_files import patterns

# Where the shots say nothing, the words do.
_BY_SHAPE: Final = {
    "before_after": "before_after",
    "tutorial": "tutorial",
    "social_proof": "testimonial",
    "relatable": "skit",
    "pov": "skit",
}
_FALLBACK: Final = "talking_head"
_SHOWS_A_PROBLEM: Final = frozenset({"problem", "agitate"})


def visual_format(shown: str, *, slideshow: bool, hook_shape: str, beat_kinds: tuple[str, ...]) -> str:
    """The format that the shots show; a slideshow is a carousel."""
    if slideshow:
        return "carousel"
    told = next((name for name, pattern in patterns("looks", "format") if pattern.search(shown)), None)
    if told is not None:
        return told
    if shown.strip("; ") and _SHOWS_A_PROBLEM & set(beat_kinds) and "solution" in beat_kinds:
        return "problem_solution"
    return _BY_SHAPE.get(hook_shape, _FALLBACK)
