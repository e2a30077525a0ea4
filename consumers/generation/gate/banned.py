"""Banned words with their inflections. Pure."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from consumers.generation.texts import words

# Of English, Spanish and German words.
_ENDINGS: Final = r"(?:'?s|es|ed|d|r|er|ers|est|ing|ings|ly|ness|n|en|e|em|es|ern|o|a|os|as|amente|mente)?"


@lru_cache(maxsize=256)
def banned_pattern(entries: tuple[str, ...]) -> re.Pattern[str] | None:
    """What finds any of these words or phrases, inflected, hyphened, spaced or joined; None for no words."""
    patterns = [_inflected(row) for entry in entries if (row := words(entry))]
    return re.compile(rf"\b(?:{'|'.join(patterns)})\b", re.IGNORECASE) if patterns else None


def banned_of(value: object) -> tuple[str, ...]:
    """The entries of a brand's list, whatever it holds."""
    items: Iterable[object] = value if isinstance(value, list) else ()
    return tuple(item for item in items if isinstance(item, str) and item.strip())


def _inflected(row: list[str]) -> str:
    *before, last = row
    joint = r"[\s\-‑–]*"
    stem = re.escape(last)
    forms = [stem + _ENDINGS]
    if last.endswith("e"):
        forms.append(re.escape(last[:-1]) + "(?:ing|ings|ed|er|ers|est|able|y)")
    elif last.endswith("y"):
        forms.append(re.escape(last[:-1]) + "(?:ies|ied|ier|iest|ily|iness)")
    elif len(last) > 2 and last[-1] in "bdgklmnprt" and last[-2] in "aeiou":
        forms.append(stem + last[-1] + "(?:ed|ing|ings|er|ers|est|y)")
    # anti-aging is anti-ageing, too
    if last.endswith("aging"):
        forms.append(re.escape(last[:-5]) + "ageing")
    return joint.join([*map(re.escape, before), f"(?:{'|'.join(forms)})"])
