"""What a stranger's text may not be, before it is judged as copy. Pure."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Set
from typing import Any, Final

from consumers.generation.gate.banned import banned_of, banned_pattern
from consumers.generation.gate.claims import claims
from consumers.generation.gate.finding import Finding
from consumers.generation.gate.own import strings
from consumers.generation.openai_writer.wire import Creative

MAX_CHARACTERS: Final = {"hook": 90, "caption": 2_200, "cta": 120, "voiceOverScript": 5_000, "shots": 300}
# A dot between letters is a link: copy has a space after every full stop. `e.g.` and `3.5` are none.
_LEADS_AWAY: Final = re.compile(r"@|://|www\.|[^\W_]\.[^\W\d_]{2,24}(?![^\W_])|\[\.\]|\(dot\)|\(\.\)")
_JOINERS: Final = frozenset("\u200c\u200d")
_NO_TEXT: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def untrusted(creative: Creative, brand: Mapping[str, Any], *, shots: int) -> list[Finding]:
    """Everything in a model's texts that is too long, no text, or leads elsewhere."""
    given = {token for text in strings(brand) for token in _tokens(text)}
    fields = {
        "hook": creative.hook,
        "caption": creative.caption,
        "cta": creative.cta,
        "voiceOverScript": creative.script,
    }
    found = [finding for name, text in fields.items() for finding in _of(name, text, given)]
    if len(creative.shots) < shots:
        found.append(Finding("fit", "shots", f"{len(creative.shots)} descriptions for {shots} shots"))
    banned = banned_pattern(banned_of(brand.get("bannedWords")))
    for text in creative.shots[:shots]:
        found.extend(_of("shots", text, given))
        # The gate takes a shot for a picture; a model may write on it.
        found.extend(claims("shots", text, " ".join(strings(brand))))
        if banned is not None and banned.search(text):
            found.append(Finding("banned_words", "shots", "has a word that the brand bans"))
    return list(dict.fromkeys(found))


def _of(field: str, text: str, given: Set[str]) -> Iterator[Finding]:
    if len(text) > MAX_CHARACTERS[field]:
        yield Finding("length", field, f"{len(text)} characters, {MAX_CHARACTERS[field]} at most")
    if any(unicodedata.category(sign) in _NO_TEXT and sign not in _JOINERS and sign != "\n" for sign in text):
        yield Finding("characters", field, "has a character that is not text")
    if any(_LEADS_AWAY.search(token) for token in _tokens(text) - given):
        yield Finding("link", field, "has a link, an address or an account that is not the brand's")


def _tokens(text: str) -> set[str]:
    """What stands between spaces. What looks like a dot or an @ has become one."""
    plain = unicodedata.normalize("NFKC", text).replace("。", ".").lower()
    return {token.strip("\"'“”‘’.,:;!?()…") for token in plain.split()}
