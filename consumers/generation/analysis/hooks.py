"""The shape of a hook. Pure."""

import re
from collections.abc import Iterable
from typing import Final

from consumers.generation.analysis.signs_files import patterns

FALLBACK: Final = "bold_claim"
# A caption that says one of these says what the whole post is, even where the spoken hook does not.
_TOLD_BY_A_CAPTION: Final = frozenset({"pov", "before_after", "list", "tutorial", "offer", "contrarian"})
_COUNT: Final = re.compile(
    r"\b(\d{1,2}|two|three|four|five|six|seven|eight|nine|ten|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|"
    r"zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn)\b",
    re.IGNORECASE,
)
_NUMBERS: Final = {
    word: number
    for row in (
        "two three four five six seven eight nine ten",
        "dos tres cuatro cinco seis siete ocho nueve diez",
        "zwei drei vier fünf sechs sieben acht neun zehn",
    )
    for number, word in enumerate(row.split(), start=2)
}
_FEWEST_ITEMS, _MOST_ITEMS, _USUAL_ITEMS = 2, 10, 3


def hook_shape(hook: str, *captions: str) -> str:
    """The shape of a hook; a caption helps where the hook alone says nothing, else it is a bold claim."""
    own = _shape(hook)
    if own is not None:
        return own
    told = [shape for caption in captions if (shape := _shape(caption)) in _TOLD_BY_A_CAPTION]
    return told[0] if told else FALLBACK


def list_items(texts: Iterable[str]) -> int:
    """How many items a list promises, from 2 to 10."""
    for text in texts:
        for match in _COUNT.finditer(text):
            word = match.group().lower()
            number = int(word) if word.isdigit() else _NUMBERS[word]
            if _FEWEST_ITEMS <= number <= _MOST_ITEMS:
                return number
    return _USUAL_ITEMS


def _shape(text: str) -> str | None:
    return next((shape for shape, pattern in patterns("hooks", "shape") if pattern.search(text)), None)
