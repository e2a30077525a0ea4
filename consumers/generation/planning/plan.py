"""The brief of one variation. Pure: the same request gives the same briefs on any machine.

A fork keeps hook shape, beats, duration, shots and the place of the call to action; a reimagining keeps the premise and
takes another hook shape, another arc and another look. The variations of one job differ by construction: each takes
its turn in orders that the job's ordinal and the variation's index walk.
"""

from collections.abc import Sequence
from typing import Final

from consumers.generation.analysis.blueprint import HOOK_SHAPES, Beat, Blueprint
from consumers.generation.analysis.timing import even
from consumers.generation.gate.fit import LEAST_OF_SPOKEN, speakable_words
from consumers.generation.planning.arcs import ARCS, similarity, spread
from consumers.generation.planning.brief import MAX_VARIATIONS, VariationBrief
from consumers.generation.planning.capability import ANGLES, Capability
from consumers.generation.planning.walk import seeded, turn

_FEWEST_CARDS, _MOST_CARDS = 4, 10
_CARD_MS: Final = 3_000
_HOOK_WORDS: Final = (3, 14)
_HOOK_SHARE: Final = 0.25
_HOOK_SLACK: Final = 2
_USUAL_HOOK_WORDS: Final = 8
_OTHER_ARC: Final = 0.6
_FEWEST_ARCS: Final = 3
_SHORTEST_MS: Final = 6_000
_LENGTHS: Final = (1.0, 0.92, 1.08)
_BEAT_MS: Final = 2_200
_FASTEST_SHOT_MS: Final = 1_300
_CTA_SHARE_OF_LAST: Final = 0.4
_FEWEST_BEATS_FOR_ONE_MORE: Final = 4
_HOOK_MS_PER_WORD: Final = 330
_USUAL_ITEMS: Final = 3
_FEWEST_ITEMS, _MOST_ITEMS = 2, 7
_AROUND_ITEMS_MS: Final = 8_500
_ITEM_MS: Final = 3_200
_INSTEAD_OF_A_LIST: Final = "bold_claim"
_FORMATS: Final = (
    "talking_head",
    "demo",
    "problem_solution",
    "lifestyle",
    "testimonial",
    "text_wall",
    "skit",
    "comparison",
)


def plan(
    blueprint: Blueprint,
    capability: Capability,
    *,
    mode: str,
    job_id: str,
    index: int,
    attempt: int,
    ordinal: int,
    layer_format: str,
) -> VariationBrief:
    """The brief of one variation. `ordinal` counts the project's jobs, so that a brand's jobs do not start alike."""
    walk = ordinal * MAX_VARIATIONS + index
    reimagine = mode == "reimagine"
    slideshow = layer_format == "slideshow"
    wanted = _other_shape(blueprint, capability, ordinal, index) if reimagine else blueprint.hook_shape
    items = min(blueprint.list_items or _USUAL_ITEMS, items_that_fit(blueprint.duration_ms))
    shape = capability.shape(wanted) if wanted != "list" or items >= _FEWEST_ITEMS else _INSTEAD_OF_A_LIST
    hook_words = (6, 12) if reimagine else _like(blueprint.hook_words)
    if reimagine:
        duration_ms = max(_SHORTEST_MS, round(blueprint.duration_ms * _LENGTHS[walk % len(_LENGTHS)]))
        beats = _other_arc(blueprint, duration_ms, ordinal, index, hook_words[1] * _HOOK_MS_PER_WORD)
        shots = _cut(beats, _other_count(len(blueprint.shots), duration_ms), duration_ms)
        visual_format = turn([name for name in _FORMATS if name != blueprint.visual_format], index + ordinal, job_id)
    else:
        duration_ms, shots, visual_format = blueprint.duration_ms, blueprint.shots, blueprint.visual_format
        beats = _with_call(blueprint)
    if slideshow:
        count = min(_MOST_CARDS, max(_FEWEST_CARDS, len(shots)))
        visual_format = "carousel"
        shots = shots if count == len(shots) else even(count, duration_ms)
    elif visual_format == "carousel":
        visual_format = "text_wall"
    speakable = speakable_words(duration_ms)
    return VariationBrief(
        index=index,
        mode=mode,
        seed=seeded(job_id, index, attempt),
        walk=walk,
        hook_shape=shape,
        substituted_for=None if shape == wanted else wanted,
        angle=turn(ANGLES, walk, "angles"),
        beats=beats,
        shots=shots,
        duration_ms=duration_ms,
        visual_format=visual_format,
        premise=blueprint.premise,
        themes=blueprint.themes,
        hook_words=hook_words,
        least_words=int(LEAST_OF_SPOKEN * min(blueprint.spoken_words, speakable)) + 1,
        word_budget=speakable,
        list_items=max(items, _FEWEST_ITEMS),
        slideshow=slideshow,
    )


def items_that_fit(duration_ms: int) -> int:
    """How many items can be named between the hook and the call to action."""
    return min(_MOST_ITEMS, max(0, duration_ms - _AROUND_ITEMS_MS) // _ITEM_MS)


def _like(words: int) -> tuple[int, int]:
    """Hook lengths that count as the source's: a quarter off, or two words."""
    words = min(max(words or _USUAL_HOOK_WORDS, _HOOK_WORDS[0]), _HOOK_WORDS[1])
    slack = max(_HOOK_SLACK, int(words * _HOOK_SHARE))
    return max(_HOOK_WORDS[0], words - slack), min(_HOOK_WORDS[1], words + slack)


def _other_shape(blueprint: Blueprint, capability: Capability, ordinal: int, index: int) -> str:
    """Another shape than the source's, one that the brand carries, and another for each of the first variations."""
    others = [
        shape
        for shape in HOOK_SHAPES
        if shape != blueprint.hook_shape
        and capability.shape(shape) == shape
        and (shape != "list" or items_that_fit(blueprint.duration_ms) >= _USUAL_ITEMS)
    ]
    # A job takes its place in the order by its ordinal; inside it the variations follow one another.
    return turn(others, ordinal * 3 + index, "shapes")


def _other_arc(blueprint: Blueprint, duration_ms: int, ordinal: int, index: int, hook_ms: int) -> tuple[Beat, ...]:
    own = [beat.kind for beat in blueprint.beats]
    # By the shortest of the set, so that all siblings choose from the same arcs.
    shortest = max(_SHORTEST_MS, round(blueprint.duration_ms * min(_LENGTHS)))
    most = max(2, (shortest - min(hook_ms, shortest // 3)) // _BEAT_MS + 1)
    differing = [arc for arc in ARCS if similarity(arc, own) <= _OTHER_ARC]
    fitting = [arc for arc in differing if len(arc) <= most]
    # The longer half: a video that has time tells more.
    fitting.sort(key=len)
    if len(fitting) < _FEWEST_ARCS:
        fitting = sorted(differing, key=len)[:_FEWEST_ARCS]
    arcs = fitting[len(fitting) // 2 :] if len(fitting) >= 2 * _FEWEST_ARCS else fitting
    return spread(turn(arcs, ordinal + index, "arcs"), duration_ms, min(hook_ms, duration_ms // 2))


def _other_count(count: int, duration_ms: int) -> int:
    """So many shots that their number is a quarter off at least."""
    more = round(count * 1.5) + 1
    fewer = max(1, round(count * 0.6))
    return more if duration_ms / more >= _FASTEST_SHOT_MS or fewer == count else fewer


def _cut(beats: Sequence[Beat], count: int, duration_ms: int) -> tuple[tuple[int, int], ...]:
    """So many shots, cut where beats change as far as the number allows."""
    if count < len(beats):
        return even(count, duration_ms)
    shares = [count * (beat.end_ms - beat.start_ms) / duration_ms for beat in beats]
    counts = [max(1, int(share)) for share in shares]
    while sum(counts) != count:
        step = 1 if sum(counts) < count else -1
        able = [i for i in range(len(counts)) if counts[i] + step >= 1]
        best = max(able, key=lambda i: step * (shares[i] - counts[i]))
        counts[best] += step
    edges = [0]
    for beat, number in zip(beats, counts, strict=True):
        edges.extend(beat.start_ms + (beat.end_ms - beat.start_ms) * k // number for k in range(1, number + 1))
    return tuple((edges[i], edges[i + 1]) for i in range(len(edges) - 1))


def _with_call(blueprint: Blueprint) -> tuple[Beat, ...]:
    """The source's beats; a story that asks for nothing gets a call to action at its end if that hardly shows."""
    beats = blueprint.beats
    if any(beat.kind == "cta" for beat in beats) or len(beats) < _FEWEST_BEATS_FOR_ONE_MORE:
        return beats
    last = beats[-1]
    cut = last.end_ms - round((last.end_ms - last.start_ms) * _CTA_SHARE_OF_LAST)
    if not last.start_ms < cut < last.end_ms:
        return beats
    return (*beats[:-1], Beat(last.kind, last.start_ms, cut), Beat("cta", cut, last.end_ms))
