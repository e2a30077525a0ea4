"""Which scenes a variation is told in. Pure."""

from collections.abc import Collection
from typing import Final

from consumers.generation.planning.brief import VariationBrief
from consumers.generation.planning.capability import ANGLES
from consumers.generation.planning.walk import permutation
from consumers.generation.writing.lexicon import ANYTHING, Lexicon, Scene
from consumers.generation.writing.voice import Voice

# Of every five rounds through the angles, four are told in scenes of what the brand sells.
_ROUNDS: Final = 5


def scenes_for(
    brief: VariationBrief, voice: Voice, lexicon: Lexicon, taken: Collection[int], met: Collection[int], attempt: int
) -> tuple[Scene, ...]:
    """The scenes in the order in which they may be used; the first is what the variation is about.

    All share the brief's angle, or at least the brand's topic. `taken` are the scenes that siblings are about, `met`
    all that they speak of.
    """
    special = [scene for scene in lexicon.scenes if scene.about in voice.about]
    own = _ordered([scene for scene in special if scene.angle == brief.angle], voice, "own", brief)
    general = _ordered(
        [scene for scene in lexicon.scenes if scene.about == ANYTHING and scene.angle == brief.angle],
        voice,
        "any",
        brief,
    )
    rest = _ordered([scene for scene in special if scene.angle != brief.angle], voice, "rest", brief)
    round_ = brief.walk // len(ANGLES)
    order = [*own, *general] if round_ % _ROUNDS != _ROUNDS - 1 else [*general, *own]
    free = [scene for scene in [*order, *rest] if scene.number not in taken and _sayable(scene, voice)]
    others = [scene for scene in [*own, *rest, *general] if _sayable(scene, voice)]
    # What did not pass is told in another scene: other words altogether.
    first = free[attempt - 1 : attempt] or free[:1] or others[:1]
    return (*first, *_fresh_first([scene for scene in others if scene not in first], met))


def item_scenes(brief: VariationBrief, voice: Voice, lexicon: Lexicon, met: Collection[int]) -> tuple[Scene, ...]:
    """Scenes for the items of a list: any moment will do, those of what the brand sells first."""
    special = _ordered([scene for scene in lexicon.scenes if scene.about in voice.about], voice, "items", brief)
    general = _ordered([scene for scene in lexicon.scenes if scene.about == ANYTHING], voice, "more items", brief)
    return tuple(_fresh_first([scene for scene in (*special, *general) if _sayable(scene, voice)], met))


def _fresh_first(scenes: list[Scene], met: Collection[int]) -> list[Scene]:
    return sorted(scenes, key=lambda scene: scene.number in met)


def _ordered(scenes: list[Scene], voice: Voice, key: str, brief: VariationBrief) -> list[Scene]:
    if not scenes:
        return []
    order = permutation(len(scenes), f"{voice.name}/{key}/{brief.angle}")
    start = (brief.walk // len(ANGLES)) % len(scenes)
    return [scenes[position] for position in (*order[start:], *order[:start])]


def _sayable(scene: Scene, voice: Voice) -> bool:
    return voice.banned is None or not voice.banned.search(" | ".join(scene.slots.values()))
