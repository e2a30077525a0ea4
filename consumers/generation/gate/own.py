"""What is the brand's own to say: its names, and the turns of phrase that every call to action is made of."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

# Nobody owns these; a bar on quoting that counted them would forbid asking for anything.
_IDIOMS: Final = re.compile(
    r"\b(?:(?:the )?link (?:is )?(?:in|below|in (?:the|my|our) )?\s?(?:bio|below|profile)"
    r"|(?:tap|click|hit|use) the link"
    r"|save (?:this|it)(?: one)?(?: for(?: later)?)?|follow (?:along|us|me)?(?: ?for more)?|comment [\w]+"
    r"|(?:and|to) (?:we|i)(?:'ll| will) send (?:you|it)(?: the \w+)?|shop now|send it to \w+"
    r"|enlace en (?:la|mi|nuestra) bio|guarda (?:esto|este (?:vídeo|post))|comenta \w+|síguenos(?: para más)?"
    r"|link (?:ist )?in (?:der|meiner|unserer) bio|speicher(?:e)? (?:dir )?(?:das|dieses \w+)|folge? (?:uns|mir)"
    r"|kommentiere? \w+)\b",
    re.IGNORECASE,
)


def own_texts(brand: Mapping[str, Any]) -> list[str]:
    """The brand's name, product, handle and call to action."""
    cta = brand.get("cta")
    given = [
        brand.get("name"),
        brand.get("product"),
        brand.get("handle"),
        *((cta.get("text"), cta.get("keyword")) if isinstance(cta, Mapping) else ()),
    ]
    return [text for text in given if isinstance(text, str) and text.strip()]


def pieces(text: str, own: Sequence[str]) -> list[str]:
    """The pieces of the text between the brand's own words and the idioms of calls to action."""
    longest_first = sorted({one.strip() for one in own if one.strip()}, key=len, reverse=True)
    parts = re.split("|".join(map(re.escape, longest_first)), text, flags=re.IGNORECASE) if longest_first else [text]
    return [piece for part in parts for piece in _IDIOMS.split(part) if piece.strip()]


def strings(value: object) -> Sequence[str]:
    """Every string in a JSON value."""
    if isinstance(value, str):
        return [value]
    children: Iterable[object] = (
        value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    )
    return [text for child in children for text in strings(child)]
