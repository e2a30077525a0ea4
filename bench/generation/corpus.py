"""Sources with labels, and brands."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal

Half = Literal["train", "held_out"]

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
def brands() -> tuple[dict[str, Any], ...]:
    """The demo's brands, and brands with few facts."""
    lines = files("clonepost.demo").joinpath("reference.jsonl").read_text(encoding="utf-8").splitlines()
    items = [json.loads(line) for line in lines if line.strip()]
    return (*(item["brand"] for item in items if item["type"] == "project"), *_BARE_BRANDS)
