"""Analysis takes any post apart, and says what a person says often enough."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.generation.accuracy import accuracy
from bench.generation.corpus import sources
from consumers.generation.analysis.analyse import analyse
from consumers.generation.analysis.blueprint import BEATS, HOOK_SHAPES, VISUAL_FORMATS
from consumers.generation.texts import content_words


def test_the_labelled_sources_are_as_many_as_the_documents_say_and_of_every_shape() -> None:
    assert (len(sources("train")), len(sources("held_out"))) == (100, 50)
    for half in ("train", "held_out"):
        assert {item.labels["hookShape"] for item in sources(half)} == set(HOOK_SHAPES)


@pytest.mark.parametrize("half", ["train", "held_out"])
def test_analysis_agrees_with_a_person(half: Any) -> None:
    found = accuracy(half)
    rates = {label: found.right[label] / found.judged[label] for label in found.judged}
    assert all(rate >= 0.9 for rate in rates.values()), rates
    assert found.beats is not None
    assert found.beats >= 0.8


analyse({})  # reads its signs once: Hypothesis must not time that
ANY_SOURCE = st.fixed_dictionaries(
    {},
    optional={
        "caption": st.none() | st.text(max_size=300),
        "format": st.sampled_from(["video", "slideshow"]),
        "durationMs": st.none() | st.integers(0, 400_000),
        "transcript": st.none()
        | st.lists(
            st.fixed_dictionaries(
                {"startMs": st.integers(0, 200_000), "endMs": st.integers(0, 200_000), "text": st.text(max_size=80)}
            ),
            max_size=8,
        ),
        "shots": st.none()
        | st.lists(
            st.fixed_dictionaries(
                {"startMs": st.integers(0, 200_000), "endMs": st.integers(0, 200_000)},
                optional={"description": st.text(max_size=40)},
            ),
            max_size=8,
        ),
    },
)


@given(ANY_SOURCE)
def test_analysis_takes_any_text(source: dict[str, Any]) -> None:
    blueprint = analyse(source)
    assert blueprint.hook_shape in HOOK_SHAPES
    assert blueprint.visual_format in VISUAL_FORMATS
    for stretches in ([(beat.start_ms, beat.end_ms) for beat in blueprint.beats], list(blueprint.shots)):
        assert stretches[0][0] == 0
        assert stretches[-1][1] == blueprint.duration_ms > 0
        assert all(a[1] == b[0] for a, b in pairwise(stretches))
        assert all(start < end for start, end in stretches)
    assert blueprint.beats[0].kind == "hook"
    assert {beat.kind for beat in blueprint.beats} <= set(BEATS)


@pytest.mark.parametrize(
    ("source", "shape", "cta_kind"),
    [
        ({"caption": "why though?"}, "question", None),
        ({"caption": "STOP SCROLLING 🛑🛑 link in bio"}, "directive", "link"),
        ({"caption": "<b>POV:</b> it&#39;s Monday &amp; you slept"}, "pov", None),
        ({"caption": "¿Por qué siempre llueve? Síguenos"}, "question", "follow"),
        ({"caption": "Wenn du wieder zu spät bist. Speicher dir das."}, "relatable", "save"),
        ({"caption": "なぜ朝は眠いのですか? 保存してね"}, "question", "save"),
        ({"caption": "هل تنام جيدا؟ تابعنا"}, "question", "follow"),
        ({"caption": "30% off ahora mismo, nur heute"}, "offer", None),
        ({"caption": ""}, "bold_claim", None),
        ({}, "bold_claim", None),
    ],
)
def test_any_language_and_any_state(source: dict[str, Any], shape: str, cta_kind: str | None) -> None:
    blueprint = analyse(source)
    assert (blueprint.hook_shape, blueprint.cta_kind) == (shape, cta_kind)


@pytest.mark.parametrize(("shots", "duration_ms"), [(1, 4_000), (60, 180_000), (60, 30_000)])
def test_any_number_of_shots(shots: int, duration_ms: int) -> None:
    given_shots = [{"startMs": duration_ms * i // shots, "endMs": duration_ms * (i + 1) // shots} for i in range(shots)]
    assert len(analyse({"durationMs": duration_ms, "shots": given_shots}).shots) == shots


def test_the_premise_is_what_the_post_is_about_and_no_name() -> None:
    source = {"caption": "The garlic press that my friend Rosalind left in my kitchen @rosa #garlic"}
    premise = analyse(source).premise
    assert {"garlic", "kitchen"} <= set(premise)
    assert "rosalind" not in premise
    assert set(premise) <= set(content_words(source["caption"]))
