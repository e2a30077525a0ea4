"""What a brand's facts can carry honestly, and what stands in where they cannot. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from consumers.generation.gate.own import strings
from consumers.generation.texts import is_content

ANGLES: Final = ("saving", "time", "quality", "ease", "health", "transformation", "status", "safety")
# A statistic without a figure is a claim, an offer without an offer an invitation, a crowd without one a scene.
_SUBSTITUTE: Final = {"statistic": "bold_claim", "offer": "callout", "social_proof": "relatable"}
_FIGURE: Final = re.compile(r"(?<![\w.,])\d[\d.,]* \w{3,}(?: (?P<more>\w{3,}))?")
_CROWD: Final = re.compile(
    r"\b(?:reviews?|stars?|customers|users|members|subscribers|reseñas|estrellas|clientes|bewertungen|sternen?|kunden)\b",
    re.IGNORECASE,
)
_OFFER: Final = re.compile(
    r"\b(?:free (?:shipping|trial|sample|delivery|month|week|class|returns?)|\d+ ?% off|discount|trial|envío gratis|"
    r"prueba gratis|descuento|kostenlos\w*|gratis|rabatt|probemonat)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Capability:
    """What can be planned for a brand. `figures`, `crowds` and `offers` are its facts that carry such hooks."""

    figures: tuple[str, ...]
    crowds: tuple[str, ...]
    offers: tuple[str, ...]
    cta_kind: str | None

    def shape(self, wanted: str) -> str:
        """The hook shape that stands for the one that is wanted."""
        carried = {"statistic": self.figures, "offer": self.offers, "social_proof": self.crowds}
        return wanted if carried.get(wanted, True) else _SUBSTITUTE[wanted]


def capability(brand: Mapping[str, Any]) -> Capability:
    """What these facts carry; `brand` has only the facts that may be used."""
    facts = [fact for name in ("benefits", "proof") for fact in strings(brand.get(name))]
    cta = brand.get("cta")
    kind = cta.get("kind") if isinstance(cta, Mapping) else None
    keyword = cta.get("keyword") if isinstance(cta, Mapping) else None
    if kind == "comment_keyword" and not (isinstance(keyword, str) and keyword.strip()):
        kind = "follow"
    return Capability(
        figures=tuple(fact for fact in facts if _FIGURE.search(fact)),
        crowds=tuple(fact for fact in facts if _CROWD.search(fact) and _FIGURE.search(fact)),
        offers=tuple(fact for fact in facts if _OFFER.search(fact)),
        cta_kind=kind if isinstance(kind, str) else None,
    )


def figure_of(fact: str) -> str | None:
    """The figure of a fact with its unit: `25 minutes`."""
    found = _FIGURE.search(fact)
    if found is None:
        return None
    more = found.group("more")
    return found.group().removesuffix(f" {more}") if more and not is_content(more.lower()) else found.group()
