"""Which of a brand's facts may be used beside a source. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from consumers.generation.gate.banned import banned_of, banned_pattern
from consumers.generation.gate.quoting import quoting
from consumers.generation.gate.source import SourceText, figures

_LISTS: Final = ("benefits", "proof")
_SINGLE: Final = ("audience",)


def usable_brand(brand: Mapping[str, Any], source: SourceText) -> dict[str, Any]:
    """The brand without the facts that the source states as well, or that use a word which the brand bans itself."""
    banned = banned_pattern(banned_of(brand.get("bannedWords")))

    def usable(fact: object) -> bool:
        return (
            isinstance(fact, str)
            and bool(fact.strip())
            and next(quoting("", fact, source, (), figures(fact)), None) is None
            and (banned is None or not banned.search(fact))
        )

    kept = dict(brand)
    for name in _LISTS:
        facts = brand.get(name)
        kept[name] = [fact for fact in facts if usable(fact)] if isinstance(facts, list) else []
    for name in _SINGLE:
        if name in brand and not usable(brand[name]):
            del kept[name]
    return kept
