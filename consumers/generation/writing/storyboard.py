"""What each shot shows: the scene's own pictures first, then what its beat asks for."""

from collections.abc import Iterator, Mapping
from typing import Final

from consumers.generation.planning.walk import permutation, seeded
from consumers.generation.texts import sentence_case
from consumers.generation.writing.lexicon import Lexicon, Scene
from consumers.generation.writing.page import Page
from consumers.generation.writing.phrases import fill, scene_slots

_OBJECTS: Final = frozenset({"obj", "obja"})


def describe_shots(page: Page) -> tuple[str, ...]:
    """A description a shot, all different as long as there are pictures and framings for it."""
    brief = page.brief
    told: list[str] = []
    seen: set[str] = set()
    pictures = {kind: _pictures(page, kind) for kind in page.lexicon.shots}
    for number, (start, end) in enumerate(brief.shots):
        kind = brief.beat_of(start, end)
        text = next((one for one in pictures.get(kind, pictures["solution"]) if one not in seen), None)
        if text is None:
            text = f"{told[number - 1]} ({number + 1})"
        seen.add(text)
        told.append(text)
    return tuple(told)


def _seen(scene: Scene, lexicon: Lexicon) -> Mapping[str, str]:
    """What fills a picture's frame: not the scene's object where no camera can show it."""
    slots = scene_slots(scene, lexicon.language)
    if scene.slots["obj"] not in lexicon.unseen:
        return slots
    return {name: phrase for name, phrase in slots.items() if name not in _OBJECTS}


def _pictures(page: Page, kind: str) -> Iterator[str]:
    """The pictures of a beat, each in every framing; those of the scene only where the story is about it."""
    brief, lexicon = page.brief, page.lexicon
    about_scene = kind in ("context", "problem", "agitate", "hook")
    framings = lexicon.framings
    order = permutation(len(framings), f"framing/{brief.seed}/{kind}")
    for round_, position in enumerate(order):
        framing = framings[position if round_ else 0]
        shown: list[str] = []
        for scene in page.scenes[:1] if round_ < 2 else page.scenes:
            slots = _seen(scene, lexicon)
            beats = lexicon.shots[kind]
            start = seeded(brief.seed, kind) % len(beats)
            filled = [fill(frame, slots, opaque=page.voice.slots) for frame in (*beats[start:], *beats[:start])]
            of_beat = [text for text in filled if text]
            shown.extend([*scene.shots, *of_beat] if about_scene and kind != "hook" else of_beat)
            if kind == "hook":
                shown.extend(scene.shots)
        for picture in shown:
            slots = {"shot": picture, "shot_l": picture[:1].lower() + picture[1:]}
            text = fill(framing, slots, opaque={})
            if text is not None:
                yield sentence_case(text) + "."
