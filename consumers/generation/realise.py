"""The port that fills the text slots of a brief, and its offline, deterministic implementation.

Frames are whole sentences with slots for the brand's own facts: nothing of the source's text ever reaches this module.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from consumers.generation.generators import GenerationFailed
from consumers.generation.plan import VariationBrief
from consumers.generation.texts import bare, sentence_case
from schemas.errors import ErrorCode


@dataclass(frozen=True, slots=True)
class Texts:
    """The words of one variation. `shot_descriptions` has one a shot of the brief."""

    hook: str
    caption: str
    cta: str
    script: str
    shot_descriptions: tuple[str, ...]


class Realiser(Protocol):
    """Writes the words of a brief in a brand's voice."""

    @property
    def name(self) -> str:
        """With the version: `embedded/1`."""
        ...

    def realise(self, brief: VariationBrief, brand: Mapping[str, Any], language: str, attempt: int) -> Texts:
        """The texts; another `attempt` gives others. Raises GenerationFailed."""
        ...


_HOOKS: Final[Mapping[str, Sequence[str]]] = {
    "question": ("Still looking for a {product} that keeps its word?", "What would change if {scene} went smoothly?"),
    "directive": ("Try this before you pick your next {product}.", "Start {scene_ing} with one less worry."),
    "contrarian": (
        "You don't need a whole routine, you need one {product}.",
        "More effort is not the answer to {pain}.",
    ),
    "bold_claim": ("This {product} earns its place by {scene_time}.", "One {product} can settle {pain}."),
    "story": ("I used to dread {scene_time}, and then I met {brand}.", "My {scene_time} had one problem: {pain}."),
    "pov": ("POV: {scene_time} and nothing goes wrong.", "POV: you stopped putting up with {pain}."),
    "relatable": ("When {pain} shows up again by {scene_time}.", "That moment when {scene_time} meets {pain}."),
    "callout": ("If {scene_time} means {pain}, this is for you.", "For everyone who is done with {pain}."),
    "reveal": ("Here is what {brand} does differently.", "The quiet reason people stay with {brand}."),
    "tutorial": ("How to get past {pain} with {brand}.", "Here's how {scene_time} gets lighter."),
}
_ANGLES: Final[Mapping[str, Mapping[str, str]]] = {
    "saving": {"pain": "paying twice for the same thing", "scene_time": "the end of the month"},
    "time": {"pain": "a morning that runs away", "scene_time": "a busy Tuesday"},
    "quality": {"pain": "things that give up too early", "scene_time": "the hundredth use"},
    "ease": {"pain": "one more complicated step", "scene_time": "a tired evening"},
    "health": {"pain": "feeling run down", "scene_time": "the first walk of the day"},
    "transformation": {"pain": "being stuck at the start", "scene_time": "week three"},
    "status": {"pain": "blending into the background", "scene_time": "a dinner with friends"},
    "safety": {"pain": "that small nagging worry", "scene_time": "the drive home"},
}
_BEATS: Final[Mapping[str, Sequence[str]]] = {
    "context": ("This is {brand}, made for {audience}.", "{brand} began with {audience} in mind."),
    "problem": ("{pain_s} wears anyone down.", "Nobody plans for {pain}, it just happens."),
    "agitate": ("And it comes back, usually at {scene_time}.", "It never picks a good moment either."),
    "solution": ("{brand} takes a simpler way: {benefit}.", "So here is the simple part: {benefit}."),
    "demo": ("Open it, use it, get on with your day.", "See how little it asks of you."),
    "proof": ("What stands behind it: {proof}.", "And it holds up: {proof}."),
    "objection": ("Not sure yet? Fair, start small and see.", "You may doubt it, most people do at first."),
    "turn": ("Then {brand} came along.", "That is where {brand} comes in."),
    "offer": ("Come and see what {brand} can do for you.",),
}
_CAPTIONS: Final = (
    "{benefit_s}. That is {brand}, for {audience}.",
    "Made for {audience}: {brand}, your {product}. {benefit_s}.",
    "{brand} and {scene_time} get along. {benefit_s}.",
)
_SHOTS: Final[Mapping[str, str]] = {
    "hook": "Close framing on a face at {scene_time}, the hook as on-screen text.",
    "context": "The {product} on a table in daylight, hands enter the frame.",
    "problem": "A small everyday mishap, shown without words.",
    "agitate": "The same mishap from another angle, a sigh.",
    "solution": "The {product} comes into use, slow push-in.",
    "demo": "Hands use the {product} step by step, seen from above.",
    "proof": "The result in a calm wide shot, a line of text beside it.",
    "objection": "Speaker shrugs, then smiles at the camera.",
    "turn": "A quick cut, light changes, the {product} appears.",
    "offer": "The {product} beside the brand's name.",
    "cta": "Brand name and call to action on a clean background.",
}


class EmbeddedRealiser:
    """Offline and deterministic: the same brief and brand give the same words on any machine. English only so far."""

    name = "embedded/1"

    def realise(self, brief: VariationBrief, brand: Mapping[str, Any], language: str, attempt: int) -> Texts:
        """The texts. Raises GenerationFailed LANGUAGE_UNSUPPORTED for a layer in another language."""
        if language.split("-")[0].lower() != "en":
            raise GenerationFailed(
                ErrorCode.LANGUAGE_UNSUPPORTED, f"The embedded generator does not write {language}; it writes en."
            )
        choose = random.Random(brief.seed + attempt)  # noqa: S311 -- reproducible choices, no secret
        slots = _slots(brief, brand, choose)
        hook = sentence_case(choose.choice(_HOOKS[brief.hook_shape]).format(**slots))
        cta = slots["cta"]
        lines = [hook]
        for beat in brief.beats[1:]:
            if beat.kind not in _BEATS:
                continue
            line = sentence_case(choose.choice(_BEATS[beat.kind]).format(**slots))
            if line not in lines and sum(len(text.split()) for text in (*lines, line, cta)) <= brief.word_budget:
                lines.append(line)
        lines.append(_sentence(cta))
        return Texts(
            hook=hook,
            caption=sentence_case(choose.choice(_CAPTIONS).format(**slots)),
            cta=cta,
            script=" ".join(lines),
            shot_descriptions=tuple(
                _SHOTS.get(_beat_at(brief, start), _SHOTS["solution"]).format(**slots) for start, _ in brief.shots
            ),
        )


def _slots(brief: VariationBrief, brand: Mapping[str, Any], choose: random.Random) -> dict[str, str]:
    name = str(brand.get("name") or "This brand")
    benefits = [bare(str(fact)) for fact in brand.get("benefits") or ()] or [f"{name} does what it says"]
    proof = [bare(str(fact)) for fact in brand.get("proof") or ()] or ["people come back to it"]
    angle = _ANGLES[brief.angle]
    cta = brand.get("cta") if isinstance(brand.get("cta"), Mapping) else {}
    benefit = choose.choice(benefits)
    return {
        "brand": name,
        "product": bare(str(brand.get("product") or name)),
        "audience": bare(str(brand.get("audience") or "people like you")),
        "benefit": benefit,
        "benefit_s": sentence_case(benefit),
        "proof": choose.choice(proof),
        "pain": angle["pain"],
        "pain_s": sentence_case(angle["pain"]),
        "scene": angle["scene_time"],
        "scene_ing": angle["scene_time"],
        "scene_time": angle["scene_time"],
        "cta": str((cta or {}).get("text") or f"See what {name} can do").strip(),
    }


def _beat_at(brief: VariationBrief, at_ms: int) -> str:
    return next((beat.kind for beat in brief.beats if beat.start_ms <= at_ms < beat.end_ms), "solution")


def _sentence(text: str) -> str:
    return text if text[-1:] in ".!?" else text + "."
