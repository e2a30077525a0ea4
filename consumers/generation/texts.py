"""Words and sentences, as analysis and the gate count them. Pure."""

import re
from typing import Final

_WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*", re.UNICODE)
_SENTENCE_END: Final = re.compile(r"(?<=[.!?…。！？])\s+|\n+")
_NOISE: Final = re.compile(r"https?://\S+|<[^>]{0,200}>|[#@]\S+")

STOP_WORDS: Final = frozenset(
    _WORD.findall(
        "a about after again all also am an and any are as at back be because been before being but by can could did "
        "do does doing don't down even every few first for from get gets getting go going got had has have he her "
        "here him his how i i'd i'll i'm i've if in into is isn't it it's its just know let let's like look make "
        "makes me more most much my need never new no not now of off on one only or other our out over own really "
        "right same say see she should so some still such take than that that's the their them then there these "
        "they thing things think this those through to too try two up us use very want was way we well were what "
        "when where which while who why will with won't would you you're your yours"
    )
)


def without_noise(text: str) -> str:
    """The text without links, markup, hashtags and handles."""
    return _NOISE.sub(" ", text)


def words(text: str) -> list[str]:
    """The words in lower case, apostrophes kept."""
    return [word.lower().replace("’", "'") for word in _WORD.findall(text)]


def content_words(text: str) -> list[str]:
    """The words that carry meaning."""
    return [word for word in words(text) if word not in STOP_WORDS and len(word) > 2]


def sentences(text: str) -> list[str]:
    """The sentences, trimmed, without empty ones."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]


def sentence_case(text: str) -> str:
    """The text with its first letter in upper case and nothing else changed."""
    return text[:1].upper() + text[1:]


def bare(fact: str) -> str:
    """A brand's fact as it fits into a sentence: no full stop, no capital unless the word has more of them."""
    text = fact.strip().rstrip(".!")
    first, _, rest = text.partition(" ")
    if len(first) > 1 and first[0].isupper() and first[1:].islower() and first != "I":
        return first.lower() + (" " + rest if rest else "")
    return text
