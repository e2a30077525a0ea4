"""Captions can be read: the rules hold for any script, and nothing that is said is missing."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.rendering.cues import Cue, Spoken, cues, evenly, needed_ms, vtt

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1, max_size=60)
SENTENCES = st.lists(st.lists(WORDS, min_size=1, max_size=30).map(" ".join), min_size=1, max_size=8)


@given(SENTENCES, st.integers(0, 60_000), st.lists(st.integers(0, 4_000), min_size=16, max_size=16))
def test_every_cue_obeys_every_rule(sentences: list[str], spare_ms: int, gaps: list[int]) -> None:
    clip_ms = needed_ms(sentences) + spare_ms
    # Said at any pace, even one at which nobody could read.
    at, spoken = 0, []
    for sentence, before, length in zip(sentences, gaps[::2], gaps[1::2], strict=False):
        start = min(at + before, clip_ms)
        at = min(start + length, clip_ms)
        spoken.append(Spoken(sentence, start, at))
    shown = cues(spoken, clip_ms)
    free_from = 0
    for cue in shown:
        assert 1 <= len(cue.lines) <= 2
        assert all(0 < len(line) <= 42 for line in cue.lines)
        lasts = cue.end_ms - cue.start_ms
        assert lasts >= 830
        assert len(" ".join(cue.lines)) / (lasts / 1000) <= 17
        assert cue.start_ms >= free_from
        free_from = cue.end_ms
    assert free_from <= clip_ms
    said = "".join(" ".join(sentences).split())
    assert "".join("".join(cue.lines) for cue in shown).replace(" ", "") == said


def test_cues_keep_the_times_of_what_is_said_where_that_can_be_read() -> None:
    spoken = [Spoken("One short sentence.", 500, 2_500), Spoken("And another one.", 4_000, 6_000)]
    assert cues(spoken, 9_000) == [
        Cue(("One short sentence.",), 500, 4_000),
        Cue(("And another one.",), 4_000, 6_000),
    ]


def test_a_long_sentence_is_cut_into_even_pieces() -> None:
    sentence = "It works in the morning and again at night, without a single thing to learn."
    lengths = [len(" ".join(cue.lines)) for cue in cues([Spoken(sentence, 0, 6_000)], 6_000)]
    assert len(lengths) == 2
    assert max(lengths) - min(lengths) < 15


def test_unspoken_sentences_share_the_clip_by_their_length() -> None:
    assert evenly(["aaaa", "aa"], 6_000) == [Spoken("aaaa", 0, 4_000), Spoken("aa", 4_000, 6_000)]


@pytest.mark.parametrize("text", ["a < b & c", "--> here", "ñandú & Straße"])
def test_a_file_can_be_read_back(text: str) -> None:
    shown = [Cue((text, "second"), 61_001, 62_500), Cue(("third",), 3_723_456, 3_725_000)]
    file = vtt(shown)
    assert file.startswith("WEBVTT\n\n")
    assert [line for line in file.splitlines() if "-->" in line and line[:1].isdigit()] == [
        "00:01:01.001 --> 00:01:02.500",
        "01:02:03.456 --> 01:02:05.000",
    ]
    shown_text = file.split("\n\n")[1].split("\n")[1]
    assert not re.search("[<>]", shown_text)
    assert shown_text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == text
