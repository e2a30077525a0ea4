"""Sources with labels, and brands."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal

Half = Literal["train", "held_out", "fresh"]

# Brands that give little: the copy has to do without facts.
_BARE_BRANDS: Final[tuple[dict[str, Any], ...]] = (
    {"name": "Oakline"},
    {"name": "Brisk", "product": "oat milk", "tone": ["calm"]},
    {
        "name": "Harbor & Pine",
        "product": "weekend bags",
        "audience": "people who pack the night before",
        "bannedWords": ["luxury", "carry"],
        "cta": {"kind": "shop"},
    },
    {
        "name": "noted",
        "product": "meeting notes app",
        "benefits": ["writes the summary for you"],
        "cta": {"kind": "link"},
    },
)


# In a layer of another language, brands that describe themselves in it; the English ones have no facts there.
_ELSEWHERE: Final[dict[str, tuple[dict[str, Any], ...]]] = {
    "es": (
        {
            "name": "Lumbre",
            "product": "cafetera italiana",
            "audience": "gente que desayuna de pie",
            "benefits": [
                "calienta el café en cuatro minutos",
                "no tiene filtros de papel",
                "cabe en cualquier estante",
            ],
            "proof": ["hecha en un taller de Vitoria desde 1974", "una pieza de repuesto durante 10 años"],
            "cta": {"kind": "link", "text": "Toca el enlace y conoce Lumbre"},
        },
    ),
    "de": (
        {
            "name": "Wegwart",
            "product": "Laufrucksack",
            "audience": "alle, die mit dem Rad zur Arbeit fahren",
            "benefits": ["wiegt nur 310 Gramm", "trocknet über Nacht", "hält den Laptop vom Rücken weg"],
            "proof": ["von 40 Pendlern ein Jahr lang getestet", "eine Reparatur, die nichts kostet"],
            "cta": {"kind": "save", "text": "Speicher dir das für den nächsten Regen"},
        },
    ),
}


@dataclass(frozen=True, slots=True)
class Labelled:
    """A source, written for this purpose, and what a person says it is."""

    source: dict[str, Any]
    labels: dict[str, Any]


@cache
def sources(half: Half) -> tuple[Labelled, ...]:
    """One half of the labelled sources."""
    lines = files(__package__).joinpath(f"sources/{half}.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(Labelled(**json.loads(line)) for line in lines)


@cache
def brands(language: str = "en") -> tuple[dict[str, Any], ...]:
    """The demo's brands, and brands with few facts; for another language, brands of it first."""
    lines = files("clonepost.demo").joinpath("reference.jsonl").read_text(encoding="utf-8").splitlines()
    items = [json.loads(line) for line in lines if line.strip()]
    return (
        *_ELSEWHERE.get(language, ()),
        *(item["brand"] for item in items if item["type"] == "project"),
        *_BARE_BRANDS,
    )
