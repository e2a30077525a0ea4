"""Words and sentences as the bench counts them: its own rules, so that it does not agree with the gate by habit."""

import re
from collections import Counter
from typing import Any, Final

_WORDS_1: Final = (
    "the a an and or but so if then than that this these those there here it its it's is are was were be been am "
    "i i'm me my you your you're we our they them their he she his her of to in on at by for with from about into "
    "over under out up down off not no nor do does did done have has had will would can could should what who why "
    "how when where which while just only very too more most some any all every each other one as like get got go "
    "going make made let still even again never always now"
)
_WORDS_2: Final = "el la los las un una y o de del a en por para con sin que no se tu te lo su es son al como más ya"
_WORDS_3: Final = (
    "der die das den dem des ein eine einen einem und oder aber so wenn dann als dass es ist sind war in im an am "
    "auf zu zum zur mit ohne für von vom nicht kein keine du dich dir dein deine wie was wer noch nur schon auch"
)

_TOKEN: Final = re.compile(r"\w+(?:[’']\w+)*")
_END: Final = re.compile(r"(?<=[.!?…])\s+")
# Two hundred small words of English, Spanish and German would do; these decide nothing but what "content" is.
_SMALL: Final = frozenset(_WORDS_1.split()) | frozenset(_WORDS_2.split()) | frozenset(_WORDS_3.split())


def tokens(text: str) -> list[str]:
    """Words in lower case."""
    return [match.group().lower().replace("’", "'") for match in _TOKEN.finditer(text)]


def content(text: str) -> set[str]:
    """Distinct words that carry meaning."""
    return {token for token in tokens(text) if token not in _SMALL and len(token) > 2}


def split(text: str) -> list[str]:
    """Sentences."""
    return [part for part in _END.split(text.strip()) if part]


def grams(row: list[str], size: int) -> Counter[tuple[str, ...]]:
    """N-grams and how often each stands."""
    return Counter(zip(*(row[i:] for i in range(size)), strict=False))


def said_by(source: dict[str, Any]) -> str:
    """All that a source says."""
    return "\n".join([source.get("caption") or "", *(part["text"] for part in source.get("transcript") or ())])


def without(text: str, own: list[str]) -> str:
    """A text with the brand's own words cut out."""
    for one in sorted(own, key=len, reverse=True):
        text = re.sub(re.escape(one), " | ", text, flags=re.IGNORECASE)
    return text


def skeleton(text: str, own: list[str]) -> str:
    """A text with the brand's names as one sign."""
    for one in sorted(own, key=len, reverse=True):
        text = re.sub(re.escape(one), "@", text, flags=re.IGNORECASE)
    return " ".join(text.lower().split())
