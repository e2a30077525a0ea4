"""The caption under the post: it stands alone, and repeats neither the hook nor the script."""

from collections.abc import Mapping, Sequence
from typing import Final

from consumers.generation.gate.coverage import stated
from consumers.generation.writing.facts import Fact
from consumers.generation.writing.page import Page
from consumers.generation.writing.script import fact_lines

# Captions are few a job and many a brand: their turns count more than their last pair of words.
_FRESH: Final = 0.2
_MOST_WORDS: Final = 26
_SCENES: Final = 3


def choose_caption(page: Page, facts: Sequence[Fact], premise: Mapping[str, str], *, owes: bool) -> str | None:
    """A caption; one without a fact ends on a last word, where there is a fresh one. See `_base`.

    `owes` says that a fact must stand in it, even beside the premise.
    """
    base = _base(page, facts, premise)
    if base is not None and facts and owes and not stated(base, [fact.bare for fact in facts]):
        page.mentions, page.named = 0, False
        lines = (line for fact in facts for line in fact_lines(page, fact))
        told = page.best((one for one in lines if page.proofread(one.text, "caption")), fresh=_FRESH)
        return base if told is None else f"{base} {page.say(told, 'caption_fact')}"
    if base is None or facts or len(base.split()) > _MOST_WORDS:
        return base
    tails = page.lines(page.lexicon.captions["tail"], "caption_tail", slacks=(2,), scenes=page.scenes[:1])
    # "Best enjoyed half asleep. You had to be there half asleep." is no last word.
    said = page.frames[-1].slots
    tail = page.best(line for line in tails if not line.frame.slots & said and page.stale(line.text) <= _FRESH)
    return base if tail is None else f"{base} {page.say(tail, 'caption_tail')}"


def _base(page: Page, facts: Sequence[Fact], premise: Mapping[str, str]) -> str | None:
    """A caption with a fact that the script does not state, where there is one; else one that speaks of the scene.

    `premise` (topic or theme) is what it must speak of where the script could not.
    """
    groups = page.lexicon.captions
    for kind, phrase in premise.items():
        for fact in facts:
            both = {kind: phrase, **fact.slots}
            if text := _say(page, f"caption_{kind}_{fact.kind}", (f"{kind}_{fact.kind}",), both):
                return text
        if text := _say(page, f"caption_{kind}", (kind,), {kind: phrase}):
            return text
    for fact in facts:
        if text := _say(page, f"caption_{fact.kind}", (fact.kind,), fact.slots):
            return text
    return _say(page, "caption", ("plain", "audience"), {}) or next(
        (line.text for line in page.lines(groups["plain"], "caption", slacks=(9,))), None
    )


def _say(page: Page, key: str, groups: Sequence[str], extra: Mapping[str, str]) -> str | None:
    """A caption of these groups; phrases that are spent stand again before a caption of another job's does."""
    # A caption names the brand, however often the script did.
    page.mentions, page.named = 0, False
    frames = [frame for group in groups for frame in page.lexicon.captions.get(group, ())]
    lines = page.lines(frames, key, extra=extra, slacks=(0, 1), scenes=page.scenes[:_SCENES])
    line = page.best((one for one in lines if page.proofread(one.text, "caption")), fresh=_FRESH)
    return None if line is None else page.say(line, key)
