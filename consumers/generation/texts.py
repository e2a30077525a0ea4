"""Words and sentences, as analysis and the gate count them. Pure; for text in any script."""

import html
import re
from typing import Final

_WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*", re.UNICODE)
_SENTENCE_END: Final = re.compile(r"(?<=[.!?…])[\"'”’»)]*\s+|(?<=[。！？؟])\s*|\n+")
_TAG: Final = re.compile(r"<[^<>]{0,500}>")
_LINK: Final = re.compile(r"https?://\S+|\bwww\.\S+|\b[\w-]+\.(?:com|net|org|io|co|shop)(?:/\S*)?\b", re.IGNORECASE)
_HANDLE: Final = re.compile(r"(?<![\w.])@[\w.]+")
_HASHTAG: Final = re.compile(r"[#＃][\w]+")

# Words that carry grammar, not meaning, in the languages that are written here.
_STOP_EN: Final = (
    "a about after again all also am an and any are as at back be because been before being but by can can't "
    "could did didn't do does doesn't doing don't down even every few first for from get gets getting go going "
    "got had has have he her here here's him his how i i'd i'll i'm i've if in into is isn't it it's its just "
    "know let let's like look make makes me more most much my need never new no not now of off on once one only "
    "or other our out over own really right same say see she should so some still such take than that that's the "
    "their them then there there's these they they're thing things think this those through to too try two until "
    "up us use very want was wasn't way we we're well were what what's when where which while who why will with "
    "won't would yes yet you you'll you're you've your yours three four five pov okay anyway something nothing "
    "everything anything someone"
)
_STOP_ES: Final = (
    "a al algo antes así aunque aún bien cada como con cuando cual cuál de del desde donde dos e el él ella ellos "
    "en entre era eres es esa ese eso esta está están estar este esto estos estás fue ha hace hacer hasta hay he "
    "la las le les lo los más me mi mis muy más nada ni no nos o otra otro para pero poco por porque pues que qué "
    "quien quién se ser si sí sido sin sobre solo son soy su sus también tan te tener ti tiene tienes todo todos "
    "tu tus tú un una uno unos vas ver vez y ya yo"
)
_STOP_DE: Final = (
    "aber alle allem allen alles als also am an auch auf aus bei bin bis bist da dann das dass dein deine deinem "
    "deinen deiner dem den denn der des dich die dir doch du durch ein eine einem einen einer eines er es etwas "
    "euch für ganz gar hab habe haben hat hatte hier ich ihm ihn ihr im immer in ist ja jede jeden jeder jetzt "
    "kann kein keine man mein meine mehr mich mir mit nach nein nicht nichts noch nur ob oder ohne schon sehr "
    "sein sich sie sind so über um und uns unter vom von vor war was weil wenn wer wie wieder wir wird wo zu zum "
    "zur"
)
STOP_WORDS_OF: Final = {
    "en": frozenset(_STOP_EN.split()),
    "es": frozenset(_STOP_ES.split()),
    "de": frozenset(_STOP_DE.split()),
}
STOP_WORDS: Final = frozenset().union(*STOP_WORDS_OF.values())


_TELLING: Final = 2
_SHORT: Final = 6


def language_of(text: str) -> str | None:
    """The language that its small words are of; None where they do not tell."""
    row = words(text)
    counts = {language: sum(word in stop for word in row) for language, stop in STOP_WORDS_OF.items()}
    best, second = sorted(counts.values(), reverse=True)[:2]
    if best < _TELLING and not (best == 1 and second == 0 and len(row) <= _SHORT):
        return None
    return max(counts, key=lambda language: counts[language]) if best > second else None


def plain(text: str) -> str:
    """The text without markup, entities resolved."""
    return _TAG.sub(" ", html.unescape(text)) if "<" in text or "&" in text else text


def without_noise(text: str) -> str:
    """The text without markup, links, hashtags and handles."""
    for noise in (_LINK, _HASHTAG, _HANDLE):
        text = noise.sub(" ", plain(text))
    return text


def words(text: str) -> list[str]:
    """The words in lower case, apostrophes kept."""
    return [word.lower().replace("’", "'") for word in _WORD.findall(text)]


def content_words(text: str) -> list[str]:
    """The words that carry meaning."""
    return [word for word in words(text) if is_content(word)]


def is_content(word: str) -> bool:
    """Whether a word in lower case carries meaning."""
    return len(word) > 2 and word not in STOP_WORDS


def sentences(text: str) -> list[str]:
    """The sentences, trimmed, without empty ones."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]


def sentence_case(text: str) -> str:
    """The text with its first letter in upper case and nothing else changed."""
    for position, character in enumerate(text):
        if character.isalpha():
            return text[:position] + character.upper() + text[position + 1 :]
        if character.isalnum():
            break
    return text


def links(text: str) -> list[str]:
    """The links in it."""
    return _LINK.findall(text)


def handles(text: str) -> list[str]:
    """The handles and hashtags in it, in lower case."""
    return [found.lower() for pattern in (_HANDLE, _HASHTAG) for found in pattern.findall(text)]
