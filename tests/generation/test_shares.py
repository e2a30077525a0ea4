"""The jobs of a brand do not repeat each other: by construction, and in what is made."""

from collections import defaultdict
from typing import Final

import pytest

from bench.generation.across import ten_jobs
from bench.generation.corpus import brands, sources
from bench.generation.trial import run
from consumers.generation.standalone import standalone
from consumers.generation.writing.lexicon import LANGUAGES, Frame, lexicon
from consumers.generation.writing.phrases import fill, scene_slots
from consumers.generation.writing.shares import SHARES, places, share

_OPAQUE: Final = {"brand": "Luma", "keyword": "GLOW", "product": "cream", "audience": "people"}
_GIVEN: Final = {"topic": "pan", "theme": "the night", "N": "three", "figure": "9 days", "crowd": "9 stars"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sentence_belongs_to_one_share_and_a_group_has_sentences_in_every_share(language: str) -> None:
    found = lexicon(language)
    groups: dict[str, tuple[Frame, ...]] = {
        "question": found.hooks["question"],
        "solution": found.beats["solution"],
        "topic": found.beats["topic"],
        "follow": found.calls["follow"],
        "plain": found.captions["plain"],
    }
    for name, frames in groups.items():
        place = places(len(frames), f"Luma/{name}")
        owners: dict[str, set[int]] = defaultdict(set)
        for scene in found.scenes[::2]:
            slots = {**scene_slots(scene, language), **_GIVEN}
            for at, frame in enumerate(frames):
                text = fill(frame, slots, opaque=_OPAQUE)
                if text is not None and frame.slots & slots.keys():
                    owners[text].add(share(place[at], frame, scene, _GIVEN))
        assert not {text: shares for text, shares in owners.items() if len(shares) > 1}
        assert {one for shares in owners.values() for one in shares} == set(range(SHARES)), name


@pytest.mark.parametrize("mode", ["fork", "reimagine"])
@pytest.mark.parametrize(("language", "brand"), [("en", 4), ("es", 0), ("de", 7)])
def test_ten_jobs_of_a_brand_share_no_hook_no_caption_and_few_sentences(language: str, brand: int, mode: str) -> None:
    given = brands(language)[brand]
    trials = [
        run(standalone(item.source, given, mode=mode, variations=3, ordinal=40 + job, language=language))
        for job, item in enumerate(sources("train")[5::9][:10])
    ]
    assert len(trials) == 10
    assert {name for name, holds in ten_jobs(trials) if not holds} == set()
