"""The bar "reads as written": what a proof-reader would send back. Pure."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from consumers.generation.gate.finding import Finding
from consumers.generation.gate.own import pieces
from consumers.generation.texts import sentences

BAR: Final = "reads_as_written"
HOOK_WORDS: Final = 14
HOOK_CHARACTERS: Final = 90

_DOUBLED: Final = re.compile(r"\b(\w+) \1\b", re.IGNORECASE)
_DOUBLES_ALLOWED: Final = frozenset({"had", "that", "die", "der", "das", "sie"})
_FLAWS: Final = (
    ("an empty slot, a bracket or an entity", re.compile(r"[{}<>\[\]|\\]|&\w+;|&#\d+;|\bNone\b|\bnull\b|___")),
    ("stray punctuation", re.compile(r"\s[,.!?;:](?:\s|$)|[,;:]{2,}|,\.|\.,|[!?]{2,}|(?<!\.)\.\.(?!\.)|\(\s|\s\)|  ")),
    ("a space before or after that does not belong", re.compile(r"^\s|\s$")),
    ("an article that disagrees", re.compile(r"\b[Aa] (?!(?:one|once|uni|use|user|usual|eu|u-)\w*\b)[aeiou]\w*")),
    (
        "an article that disagrees",
        re.compile(r"\b[Aa]n (?!(?:hour|honest|honou?r|heir|herb|x-|f-|s-|l-|m-|n-|r-)\w*\b)[b-df-hj-np-tv-z]\w*"),
    ),
)
_SHOUT: Final = re.compile(r"\b[A-ZÄÖÜÁÉÍÓÚÑ]{4,}\b")
_PROFANE: Final = re.compile(
    r"\b(?:fuck\w*|shit\w*|bitch\w*|asshole|bastard|damn|crap|dick|mierda|joder|puta|coño|scheiß\w*|arsch\w*|fick\w*)\b",
    re.IGNORECASE,
)
_CLICHE: Final = re.compile(
    r"\b(?:game[- ]?chang\w+|next level|level up|level-up|unlock(?:s|ing)? (?:the|your)|look no further|say goodbye to|"
    r"say hello to|in today's|fast-paced|revolutioni[sz]\w+|cutting[- ]edge|seamless(?:ly)?|must-have|"
    r"you won't believe|holy grail|dive into|delve|elevate|embark|best-kept secret|think outside|"
    r"one-stop|state-of-the-art|"
    r"here at|we are passionate|take control of|transform your life|life[- ]?chang\w+|mind[- ]?blow\w+|"
    r"di adiós a|lleva(?:r)? (?:tu|su) \w+ al siguiente nivel|revolucion\w+|descubre el poder|"
    r"sag(?:e)? tschüss zu|auf das nächste level|revolutionär\w*|entdecke die welt)\b",
    re.IGNORECASE,
)
_INFORMAL_FORMAL: Final = {
    "de": (
        re.compile(r"\b(?:du|dich|dir|dein\w*)\b", re.IGNORECASE),
        re.compile(r"(?<=[\wäöüß,] )(?:Sie|Ihnen|Ihre?[mnrs]?)\b"),
    ),
    "es": (
        re.compile(r"\b(?:tú|tu|tus|te|ti|contigo)\b", re.IGNORECASE),
        re.compile(r"\b(?:usted|ustedes)\b", re.IGNORECASE),
    ),
}
_TELLTALE: Final = {
    "en": re.compile(r"\b(?:the|and|your|you|with|this|that|for|when|is|are|of|to|without)\b", re.IGNORECASE),
    "es": re.compile(r"\b(?:el|los|las|una|que|con|para|cuando|por|del|tu|sin|esto|está|y)\b", re.IGNORECASE),
    "de": re.compile(r"\b(?:der|das|und|nicht|ein|eine|mit|für|wenn|ist|du|dein|ohne|auf|wie|den)\b", re.IGNORECASE),
}
_FOREIGN_WORDS: Final = 3


def form(field: str, text: str, own: Sequence[str], language: str) -> Iterator[Finding]:
    """What is wrong with the form of one text. The brand's `own` words are its own business."""
    for part in pieces(text, own):
        # The cut ends of a piece are not the text's.
        inner = part.strip()
        for flaw, pattern in _FLAWS:
            if (language == "en" or "article" not in flaw) and (match := pattern.search(inner)):
                yield Finding(BAR, field, f"{flaw}: {match.group().strip()}")
        yield from _words(field, inner)
    if text != text.strip() or "  " in text:
        yield Finding(BAR, field, "space that does not belong")
    if text.count('"') % 2 or text.count("“") != text.count("”") or text.count("(") != text.count(")"):
        yield Finding(BAR, field, "quotes or brackets that are not closed")
    # A name may have a full stop or begin in lower case.
    for sentence in sentences(_named(text, own)):
        yield from _sentence(field, sentence)
    yield from _voice(field, text, own, language)


def hook_form(hook: str) -> Iterator[Finding]:
    """A hook is one whole thought."""
    if len(hook.split()) > HOOK_WORDS or len(hook) > HOOK_CHARACTERS:
        yield Finding(BAR, "hook", "longer than fourteen words or ninety characters")
    if hook[-1:] not in ".!?…:":
        yield Finding(BAR, "hook", "does not end")
    if len(sentences(hook)) > 3:
        yield Finding(BAR, "hook", "more than three sentences")


def _words(field: str, part: str) -> Iterator[Finding]:
    for match in _DOUBLED.finditer(part):
        if match.group(1).lower() not in _DOUBLES_ALLOWED:
            yield Finding(BAR, field, f"a doubled word: {match.group(1)}")
    if shouted := _SHOUT.search(part):
        yield Finding(BAR, field, f"shouting: {shouted.group()}")
    for flaw, pattern in (("profanity", _PROFANE), ("a cliche", _CLICHE)):
        if found := pattern.search(part):
            yield Finding(BAR, field, f"{flaw}: {found.group()}")


def _named(text: str, own: Sequence[str]) -> str:
    """The text with "Name" for each of the brand's own words."""
    for one in sorted(own, key=len, reverse=True):
        text = re.sub(re.escape(one), "Name", text, flags=re.IGNORECASE)
    return text


def _sentence(field: str, sentence: str) -> Iterator[Finding]:
    start = sentence.lstrip("\"'“‘«»„¿¡(–—-… ")
    if start[:1].islower():
        yield Finding(BAR, field, "a sentence that begins in lower case")
    if field in ("voiceOverScript", "caption") and sentence[-1:].isalnum():
        yield Finding(BAR, field, "a sentence without an end")


def _voice(field: str, text: str, own: Sequence[str], language: str) -> Iterator[Finding]:
    bare = " ".join(pieces(text, own))
    registers = _INFORMAL_FORMAL.get(language)
    if registers and registers[0].search(bare) and registers[1].search(bare):
        yield Finding(BAR, field, "two registers")
    counts = {name: len(pattern.findall(bare)) for name, pattern in _TELLTALE.items()}
    mine = counts.get(language, 0)
    if any(count >= _FOREIGN_WORDS and count > mine for name, count in counts.items() if name != language):
        yield Finding("language", field, f"does not read as {language}")
