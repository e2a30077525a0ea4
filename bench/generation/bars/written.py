"""It reads as a person wrote it."""

import re
from typing import Final

from rapidfuzz import fuzz

from bench.generation.bars.fields import FIELDS
from bench.generation.bars.verdict import Holds
from bench.generation.tokens import split, tokens, without
from bench.generation.trial import Trial
from consumers.generation.generators import Made

_NUMBER_WORDS: Final = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7}
_WRONG: Final = re.compile(
    r"[{}<>\[\]]|\b(\w+) \1\b|\s[,.;:!?]|[,;:]{2}|[!?]{2}|\ba [aeio]\w|\ban [bcdfgjklmpqrstvwxyz]\w{2}|&\w+;",
    re.IGNORECASE,
)


def _form(trial: Trial, one: Made) -> bool:
    for field in FIELDS:
        for part in without(one.creative[field], trial.own).split("|"):
            if any(
                trial.job.language == "en" or not match.group().lower().startswith("a")
                for match in _WRONG.finditer(part.strip())
            ):
                return False
        for sentence in split(one.creative[field]):
            first = sentence.lstrip("\"'“¿¡")
            if first[:1].islower() and not any(first.startswith(name) for name in trial.own):
                return False
    return True


def _hook_whole(_: Trial, one: Made) -> bool:
    hook = one.creative["hook"]
    return len(hook.split()) <= 14 and len(hook) <= 90 and hook[-1] in ".!?…"


def _named(trial: Trial, one: Made) -> bool | None:
    text = " ".join(one.creative[field] for field in FIELDS).lower()
    return any(name.lower() in text for name in trial.names) if trial.names else None


def _promise(trial: Trial, one: Made) -> bool | None:
    if one.hook_shape != "list" or trial.job.language != "en":
        return None
    # The first: "five signs of the three o'clock slump".
    wanted = next((_NUMBER_WORDS[word] for word in tokens(one.creative["hook"]) if word in _NUMBER_WORDS), None)
    starts = [tokens(sentence)[:1] for sentence in split(one.creative["voiceOverScript"])[1:]]
    return wanted is not None and sum(start[0] in ("one", *_NUMBER_WORDS) for start in starts if start) == wanted


def _fields_differ(_: Trial, one: Made) -> bool:
    hook, caption, script = (one.creative[field] for field in FIELDS)
    return fuzz.ratio(hook, caption) < 80 and not (
        {s.lower() for s in split(caption)} & {s.lower() for s in split(script)}
    )


WRITTEN: Final[dict[str, Holds]] = {
    "reads: form": _form,
    "reads: hook whole": _hook_whole,
    "reads: brand named": _named,
    "reads: promise kept": _promise,
    "reads: fields differ": _fields_differ,
}
