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


def leads_for(brief: VariationBrief, voice: Voice, lexicon: Lexicon, taken: Collection[int]) -> tuple[Scene, ...]:
    """The scenes that the variation may be about, in their turn: those of its angle, then others of the brand's topic,
    then anybody's.

    `taken` are the scenes that siblings are about.
    """
    own, general, rest = _by_kin(brief, voice, lexicon)
    round_ = brief.walk // len(ANGLES)
    order = [*own, *general] if round_ % _ROUNDS != _ROUNDS - 1 else [*general, *own]
    others = [scene for scene in lexicon.scenes if scene.about == ANYTHING and scene.angle != brief.angle]
    order += [*rest, *_ordered(others, voice, "others", brief)]
    sayable = [scene for scene in order if _sayable(scene, voice)]
    return tuple([scene for scene in sayable if scene.number not in taken] or sayable)


def scenes_for(brief: VariationBrief, voice: Voice, lexicon: Lexicon, met: Collection[int]) -> tuple[Scene, ...]:
    """The scenes in the order in which they may be used beside the first. `met` are all that siblings speak of.

    All share the brief's angle, or at least the brand's topic.
    """
    own, general, rest = _by_kin(brief, voice, lexicon)
    return tuple(_fresh_first([scene for scene in [*own, *rest, *general] if _sayable(scene, voice)], met))


def item_scenes(brief: VariationBrief, voice: Voice, lexicon: Lexicon, met: Collection[int]) -> tuple[Scene, ...]:
    """Scenes for the items of a list: any moment will do, those of what the brand sells first."""
    special = _ordered([scene for scene in lexicon.scenes if scene.about in voice.about], voice, "items", brief)
    general = _ordered([scene for scene in lexicon.scenes if scene.about == ANYTHING], voice, "more items", brief)
    return tuple(_fresh_first([scene for scene in (*special, *general) if _sayable(scene, voice)], met))


def _by_kin(brief: VariationBrief, voice: Voice, lexicon: Lexicon) -> tuple[list[Scene], list[Scene], list[Scene]]:
    """Scenes of the brand's topic and the brief's angle, of anybody's and the angle, of the topic and other angles."""
    special = [scene for scene in lexicon.scenes if scene.about in voice.about]
    own = [scene for scene in special if scene.angle == brief.angle]
    general = [scene for scene in lexicon.scenes if scene.about == ANYTHING and scene.angle == brief.angle]
    rest = [scene for scene in special if scene.angle != brief.angle]
    return (
        _ordered(own, voice, "own", brief),
        _ordered(general, voice, "any", brief),
        _ordered(rest, voice, "rest", brief),
    )


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
