"""Frames filled with a scene's phrases and a brand's facts. Pure."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from consumers.generation.texts import sentence_case
from consumers.generation.writing.lexicon import Frame, Scene

_SLOT: Final = re.compile(r"\{(\w+)\}")
_FIRST_PERSON: Final = (
    (re.compile(r"\byourself\b"), "myself"),
    (re.compile(r"\byou're\b"), "I'm"),
    (re.compile(r"\byou are\b"), "I am"),
    (re.compile(r"\byour\b"), "my"),
    (re.compile(r"\byou\b"), "I"),
)
# What went on for long does not happen on one day.
_LASTING: Final = re.compile(
    r"\b(?:for (?:a|years|my)|all (?:summer|winter|week)|years|whole (?:spring|winter|summer)|since|so often|again|"
    r"durante|años|siempre|todo el (?:verano|invierno)|enter[oa]|una semana|jahrelang|wochenlang|immer|seit|"
    r"(?:Sommer|Jahr|Winter|Woche) lang)\b"
)
# What one is, not does: nobody "is knowing".
_STATE: Final = re.compile(
    r"^(?:knowing|owning|having|being|liking|seeing|hearing|trusting|buying less|"
    r"getting it|keeping what|understanding)\b"
)
# Spanish contracts where slots bring these together; German begins a sentence after a colon with a capital.
_JOINTS: Final = (
    (re.compile(r"\b([Dd])e el\b"), r"\1el"),
    (re.compile(r"\b([Aa]) el\b"), r"\1l"),
    (re.compile(r": du "), ": Du "),
)
NUMBERS: Final = {
    "en": ("zero", "one", "two", "three", "four", "five", "six", "seven"),
    "es": ("cero", "una", "dos", "tres", "cuatro", "cinco", "seis", "siete"),
    "de": ("null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben"),
}
ORDINALS: Final = {
    "en": ("", "One", "Two", "Three", "Four", "Five", "Six", "Seven"),
    "es": ("", "Uno", "Dos", "Tres", "Cuatro", "Cinco", "Seis", "Siete"),
    "de": ("", "Erstens", "Zweitens", "Drittens", "Viertens", "Fünftens", "Sechstens", "Siebtens"),
}
# What a slot is derived from.
BASE_OF: Final = {"my_ing": "ing", "my_np": "np", "my_wish": "wish", "past_once": "past", "wish_doing": "wish"}


@cache
def scene_slots(scene: Scene, language: str) -> Mapping[str, str]:
    """The slots that a scene fills; English forms its first person by rule, other languages write it down."""
    slots = dict(scene.slots)
    if language == "en":
        for name in ("ing", "np", "wish"):
            slots[f"my_{name}"] = first_person(slots[name])
        if not _STATE.search(slots["wish"]):
            slots["wish_doing"] = slots["wish"]
    if not _LASTING.search(slots["past"]):
        slots["past_once"] = slots["past"]
    return slots


def first_person(text: str) -> str:
    """English in the second person, told by oneself."""
    for pattern, mine in _FIRST_PERSON:
        text = pattern.sub(mine, text)
    return text


def fill(frame: Frame, slots: Mapping[str, str], *, opaque: Mapping[str, str]) -> str | None:
    """The frame's sentences, each with its capital; None where a slot is missing.

    `opaque` slots are the brand's: a name that begins in lower case keeps it, even at the start of a sentence.
    """
    if not frame.slots <= slots.keys() | opaque.keys():
        return None
    text = _SLOT.sub(lambda match: match.group() if match.group(1) in opaque else _joined(match, slots), frame.text)
    for pattern, joined in _JOINTS:
        text = pattern.sub(joined, text)
    text = capitals(text)
    return _SLOT.sub(lambda match: opaque[match.group(1)], text)


def _joined(match: re.Match[str], slots: Mapping[str, str]) -> str:
    """The phrase; a German one that ends in a clause is closed by a comma where the sentence goes on."""
    phrase = slots[match.group(1)]
    goes_on = re.match(r" [\w{]", match.string[match.end() :])
    german_noun = "npa" in slots and match.group(1) in ("np", "npa")
    return f"{phrase}," if german_noun and ", " in phrase and goes_on else phrase


def capitals(text: str) -> str:
    """Every sentence with a capital at its start; a slot that is still open is left alone."""
    parts = re.split(r"(?<=[.!?…])( +)", text)
    return "".join(
        part if part.isspace() or part.lstrip("\"'“¿¡").startswith("{") else sentence_case(part) for part in parts
    )
