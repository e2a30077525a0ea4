"""What a variation must not be, checked before it is accepted. Pure. A failed variation shows the bar's name."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from consumers.generation.texts import STOP_WORDS, words

_RUN: Final = 5
_FLAWS: Final = re.compile(r"[{}<>\[\]]|\b(\w+) \1\b|\s[,.!?]|[,.]{2,}|  ", re.IGNORECASE)
_FIGURE: Final = re.compile(r"\d+(?:[.,]\d+)*")


def failed_bar(texts: Mapping[str, str], *, source_text: str, brand: Mapping[str, Any]) -> str | None:
    """The first bar that these texts (hook, caption, cta, voiceOverScript) miss, or None."""
    if any(not text.strip() for text in texts.values()):
        return "empty"
    if any(_FLAWS.search(text) for text in texts.values()):
        return "reads_as_written"
    if any(quotes(text, source_text) for text in texts.values()):
        return "quoting"
    banned = {str(word).lower() for word in brand.get("bannedWords") or ()}
    if any(banned & set(words(text)) for text in texts.values()):
        return "banned_words"
    given = set(_FIGURE.findall(" ".join(_strings(brand))))
    if any(set(_FIGURE.findall(text)) - given for text in texts.values()):
        return "facts"
    if str(brand.get("name", "")).lower() not in " ".join(texts.values()).lower():
        return "brand_unnamed"
    return None


def quotes(text: str, source_text: str) -> bool:
    """Whether five words in a row, or four with two that carry meaning, stand in the source as well."""
    mine, theirs = words(text), words(source_text)
    for length, meaning in ((_RUN, 0), (_RUN - 1, 2)):
        runs = {tuple(theirs[i : i + length]) for i in range(len(theirs) - length + 1)}
        for i in range(len(mine) - length + 1):
            run = tuple(mine[i : i + length])
            if run in runs and sum(word not in STOP_WORDS for word in run) >= meaning:
                return True
    return False


def _strings(value: object) -> Sequence[str]:
    if isinstance(value, str):
        return [value]
    children = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return [text for child in children for text in _strings(child)]
