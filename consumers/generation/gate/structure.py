"""The bars on structure: a fork keeps the source's, a reimagining leaves it. Pure."""

from collections.abc import Iterator
from typing import Final

from consumers.generation.analysis.blueprint import Blueprint, position_of
from consumers.generation.gate.finding import Finding
from consumers.generation.planning.arcs import similarity
from consumers.generation.planning.brief import VariationBrief

_ALIKE_BEATS: Final = 0.8
_OTHER_BEATS: Final = 0.6
_DURATION_SHARE: Final = 0.05
_DURATION_MS: Final = 500
_SHOT_SHARE: Final = 0.20
_OTHER_SHOTS: Final = 0.25
_CTA: Final = 0.05
_LEAVES: Final = 2
_FARTHER: Final = 0.3


def fork_keeps(brief: VariationBrief, source: Blueprint) -> Iterator[Finding]:
    """What a fork changes that it should keep."""
    if brief.hook_shape != source.hook_shape and brief.substituted_for != source.hook_shape:
        yield Finding("fork", "hook", "another hook shape")
    if beat_similarity(brief, source) < _ALIKE_BEATS:
        yield Finding("fork", "voiceOverScript", "another order of beats")
    if abs(brief.duration_ms - source.duration_ms) > max(_DURATION_MS, _DURATION_SHARE * source.duration_ms):
        yield Finding("fork", "shots", "another duration")
    if not brief.slideshow:
        mean = brief.duration_ms / len(brief.shots)
        if abs(len(brief.shots) - len(source.shots)) > 1 or abs(mean / source.mean_shot_ms - 1) > _SHOT_SHARE:
            yield Finding("fork", "shots", "another pace of shots")
    if source.cta_start is not None and brief.cta_start is not None:
        slack = max(_CTA, source.mean_shot_ms / source.duration_ms / 2)
        if abs(brief.cta_start - source.cta_start) > slack:
            yield Finding("fork", "cta", "the call to action starts at another time")


def reimagining_leaves(brief: VariationBrief, source: Blueprint) -> Iterator[Finding]:
    """Whether a reimagining is too close to the source's structure."""
    if len(departures(brief, source)) < _LEAVES or structural_distance(brief, source) < _FARTHER:
        yield Finding("reimagine", "shots", "too close to the source's structure")


def departures(brief: VariationBrief, source: Blueprint) -> set[str]:
    """In which ways a brief leaves the source."""
    left = set()
    if brief.hook_shape != source.hook_shape:
        left.add("hook shape")
    if beat_similarity(brief, source) <= _OTHER_BEATS:
        left.add("beats")
    if brief.visual_format != source.visual_format:
        left.add("visual format")
    if shots_off(brief, source) >= _OTHER_SHOTS:
        left.add("shots")
    if position_of(brief.cta_start) != source.cta_position:
        left.add("place of the call to action")
    return left


def structural_distance(brief: VariationBrief, source: Blueprint) -> float:
    """0 for the same structure, 1 for nothing in common."""
    parts = (
        brief.hook_shape not in (source.hook_shape,) and brief.substituted_for != source.hook_shape,
        1 - beat_similarity(brief, source),
        brief.visual_format != source.visual_format,
        min(1.0, shots_off(brief, source)),
        position_of(brief.cta_start) != source.cta_position,
    )
    return sum(map(float, parts)) / len(parts)


def beat_similarity(brief: VariationBrief, source: Blueprint) -> float:
    """1 for the same arc."""
    return similarity([beat.kind for beat in brief.beats], [beat.kind for beat in source.beats])


def shots_off(brief: VariationBrief, source: Blueprint) -> float:
    """How far the number or the mean length of shots is off, whichever is more, as a share of the source's."""
    mean = brief.duration_ms / len(brief.shots)
    return max(abs(len(brief.shots) / len(source.shots) - 1), abs(mean / source.mean_shot_ms - 1))
