"""Nothing of the source's stands in the copy."""

import re
from typing import Final

from rapidfuzz import fuzz

from bench.generation.bars.fields import FIELDS, parts
from bench.generation.bars.verdict import Holds
from bench.generation.tokens import content, grams, said_by, split, tokens, without
from bench.generation.trial import Trial
from consumers.generation.generators import Made

_CALL_WORDS: Final = re.compile(r"\b(?:link|comment|save|follow|shop|visit|bio)\b", re.IGNORECASE)


def _runs(row: list[str]) -> set[tuple[str, ...]]:
    four = {run for run in grams(row, 4) if len(content(" ".join(run))) >= 2}
    return four | set(grams(row, 5))


def _no_run(trial: Trial, one: Made) -> bool:
    theirs = _runs(tokens(said_by(trial.job.source)))
    return not any(_runs(tokens(part)) & theirs for part in parts(trial, one) if not _CALL_WORDS.search(part))


def _contained(trial: Trial, one: Made) -> bool:
    theirs = content(said_by(trial.job.source))
    for field in FIELDS:
        mine = content(without(one.creative[field], trial.own))
        if len(mine) >= 8 and len(mine & theirs) / len(mine) > (0.35 if len(mine) >= 20 else 0.50):
            return False
    return True


def _no_sentence(trial: Trial, one: Made) -> bool:
    theirs = [" ".join(tokens(sentence)) for sentence in split(said_by(trial.job.source).replace("\n", " . "))]
    mine = [" ".join(tokens(sentence)) for part in parts(trial, one) for sentence in split(part)]
    return not any(
        fuzz.token_sort_ratio(a, b) > 70
        for a in mine
        if a.count(" ") and not _CALL_WORDS.search(a)
        for b in theirs
        if b.count(" ")
    )


def _nothing_own(trial: Trial, one: Made) -> bool:
    said = said_by(trial.job.source)
    given = repr(trial.job.brand)
    marks = set(re.findall(r"[@#]\w+|https?://\S+", said)) | (
        set(re.findall(r"\d+", said)) - set(re.findall(r"\d+", given))
    )
    text = " ".join(parts(trial, one))
    return not any(re.search(rf"(?<!\w){re.escape(mark)}(?!\w)", text) for mark in marks)


QUOTING: Final[dict[str, Holds]] = {
    "quoting: no shared run": _no_run,
    "quoting: content words": _contained,
    "quoting: no sentence alike": _no_sentence,
    "quoting: nothing of its own": _nothing_own,
}
