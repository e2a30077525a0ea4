"""The realiser `embedded`: whole sentences around the brand's own facts. Offline; the same brief gives the same words.

English only so far; a layer in another language gets the variation's error LANGUAGE_UNSUPPORTED.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from typing import Any, Final

from consumers.generation.frames import ANGLES, BEATS, CAPTIONS, HOOKS, PLAIN_CAPTIONS, SHOTS
from consumers.generation.generators import GenerationFailed
from consumers.generation.plan import VariationBrief
from consumers.generation.realise import Texts
from consumers.generation.texts import bare, sentence_case
from schemas.errors import ErrorCode

_LANGUAGE: Final = "en"


class EmbeddedRealiser:
    """Fills frames. A pure function of its arguments."""

    name = "embedded/1"

    def realise(self, brief: VariationBrief, brand: Mapping[str, Any], language: str, attempt: int) -> Texts:
        """The texts. Raises GenerationFailed LANGUAGE_UNSUPPORTED for a layer in another language."""
        if language.replace("_", "-").split("-")[0].lower() != _LANGUAGE:
            raise GenerationFailed(
                ErrorCode.LANGUAGE_UNSUPPORTED, f"The embedded generator writes {_LANGUAGE}, not {language}."
            )
        choose = random.Random(f"{brief.seed}/{attempt}")  # noqa: S311 -- reproducible choices, no secret
        slots = _slots(brief, brand)
        hook = _hook(brief, slots, attempt)
        benefits = _shuffled(choose, brand.get("benefits"))
        proofs = _shuffled(choose, brand.get("proof"))
        caption_fact = benefits[0] if benefits else None
        return Texts(
            hook=hook,
            caption=_caption(choose, slots, caption_fact),
            cta=slots["cta"],
            script=_script(brief, slots, hook, choose, benefits, proofs),
            shot_descriptions=_shots(brief, slots),
        )


def _hook(brief: VariationBrief, slots: Mapping[str, str], attempt: int) -> str:
    # Angles take turns first, frames after them: neighbours in the walk, so the variations of a job, never start alike.
    frames = HOOKS[brief.hook_shape]
    return sentence_case(frames[(brief.walk // len(ANGLES) + attempt - 1) % len(frames)].format(**slots))


def _caption(choose: random.Random, slots: Mapping[str, str], benefit: str | None) -> str:
    if benefit is None:
        return sentence_case(choose.choice(PLAIN_CAPTIONS).format(**slots))
    return sentence_case(choose.choice(CAPTIONS).format(**slots, benefit_s=sentence_case(benefit)))


def _script(
    brief: VariationBrief,
    slots: Mapping[str, str],
    hook: str,
    choose: random.Random,
    benefits: Sequence[str],
    proofs: Sequence[str],
) -> str:
    """A sentence a beat, as many as fit; each fact once. The call to action stands where its beat is, else last."""
    # The caption has the first benefit; where there are more, the script begins with the next.
    facts = {"benefit": iter([*benefits[1:], *benefits[:1]]), "proof": iter(proofs)}
    cta = _sentence(slots["cta"])
    lines = [hook]
    words_left = brief.word_budget - len(hook.split()) - len(cta.split())
    for beat in brief.beats[1:]:
        line = cta if beat.kind == "cta" else _line(beat.kind, slots, choose, facts)
        if line is None or line in lines:
            continue
        if line != cta:
            if len(line.split()) > words_left:
                continue
            words_left -= len(line.split())
        lines.append(line)
    return " ".join(lines if cta in lines else [*lines, cta])


def _line(kind: str, slots: Mapping[str, str], choose: random.Random, facts: Mapping[str, Iterator[str]]) -> str | None:
    """The sentence of a beat; None for a beat whose fact the brand does not give: it is dropped, never made up."""
    if kind not in BEATS:
        return None
    frame = choose.choice(BEATS[kind])
    filled = dict(slots)
    for fact, values in facts.items():
        if "{" + fact + "}" in frame:
            value = next(values, None)
            if value is None:
                return None
            filled[fact] = value
    return sentence_case(frame.format(**filled))


def _shots(brief: VariationBrief, slots: Mapping[str, str]) -> tuple[str, ...]:
    turns = {kind: cycle(frames) for kind, frames in SHOTS.items()}
    return tuple(next(turns[_beat_at(brief, start)]).format(**slots) for start, _ in brief.shots)


def _beat_at(brief: VariationBrief, at_ms: int) -> str:
    kind = next((beat.kind for beat in brief.beats if beat.start_ms <= at_ms < beat.end_ms), "solution")
    return kind if kind in SHOTS else "solution"


def _shuffled(choose: random.Random, facts: object) -> list[str]:
    found = [bare(fact) for fact in facts if isinstance(fact, str) and fact.strip()] if isinstance(facts, list) else []
    choose.shuffle(found)
    return found


def _slots(brief: VariationBrief, brand: Mapping[str, Any]) -> dict[str, str]:
    angle = ANGLES[brief.angle]
    name = _text(brand.get("name")) or "This brand"
    cta = brand.get("cta")
    given = _text(cta.get("text")) if isinstance(cta, Mapping) else ""
    return {
        **angle,
        "pain_s": sentence_case(angle["pain"]),
        "scene_s": sentence_case(angle["scene"]),
        "brand": name,
        "product": bare(_text(brand.get("product")) or name),
        "audience": bare(_text(brand.get("audience")) or "people like you"),
        "cta": given or f"See what {name} can do",
    }


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _sentence(text: str) -> str:
    return text if text[-1:] in ".!?…" else text + "."
