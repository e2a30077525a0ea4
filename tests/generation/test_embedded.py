"""What the embedded generator makes: the source's structure, the brand's facts, and never the source's words."""

import json
import uuid
from importlib.resources import files
from itertools import pairwise
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.generation.analyse import analyse, hook_shape
from consumers.generation.composed import ComposedGenerator
from consumers.generation.embedded import EmbeddedRealiser
from consumers.generation.frames import ANGLES, HOOKS
from consumers.generation.gate import failed_bar, quotes, usable_brand
from consumers.generation.generators import GenerationFailed
from consumers.generation.plan import ANGLES as PLANNED_ANGLES
from consumers.generation.plan import HOOK_SHAPES, VariationBrief
from consumers.generation.realise import Texts
from consumers.generation.texts import sentence_case
from tests.generation.orders import SOURCE, make, order
from tests.generation.world import BRAND

EMBEDDED: Final = ComposedGenerator(EmbeddedRealiser(), waits=False, lease_ahead=64)
REFERENCE: Final = [
    json.loads(line) for line in files("clonepost.demo").joinpath("reference.jsonl").read_text().splitlines() if line
]
SOURCES: Final = [item for item in REFERENCE if item["type"] == "source_post"]
BRANDS: Final = [item["brand"] for item in REFERENCE if item["type"] == "project"]
TEXTS: Final = ("hook", "caption", "cta", "voiceOverScript")


def said(source: dict[str, Any]) -> str:
    return "\n".join([source.get("caption") or "", *(part["text"] for part in source.get("transcript") or ())])


@pytest.mark.parametrize("mode", ["fork", "reimagine"])
def test_every_demo_source_with_every_brand_passes_and_quotes_nothing(mode: str) -> None:
    assert len(SOURCES) >= 40
    for number, source in enumerate(SOURCES):
        for brand in BRANDS:
            cta = brand["cta"]["text"]
            for index in range(3):
                made = make(EMBEDDED, order(index, brand=brand, source=source, mode=mode, ordinal=number))
                for field in TEXTS:
                    text = made.creative[field]
                    assert text.strip()
                    assert not any(quotes(piece, said(source)) for piece in text.replace(cta, "|").split("|")), text
                assert brand["name"] in made.creative["caption"] + made.creative["voiceOverScript"]


@pytest.mark.parametrize("mode", ["fork", "reimagine"])
@pytest.mark.parametrize("layer_format", ["video", "slideshow"])
def test_shots_cover_the_duration_without_a_gap(mode: str, layer_format: str) -> None:
    for source in SOURCES:
        made = make(EMBEDDED, order(source=source, mode=mode, layer_format=layer_format))
        shots = made.creative["shots"]
        assert shots[0]["startMs"] == 0
        assert shots[-1]["endMs"] == made.duration_ms
        assert all(a["endMs"] == b["startMs"] for a, b in pairwise(shots))
        assert all(shot["startMs"] < shot["endMs"] and shot["description"] for shot in shots)
        if layer_format == "slideshow":
            assert 4 <= len(shots) <= 10
            assert made.visual_format == "carousel"


def test_a_fork_keeps_the_shape_and_a_reimagining_leaves_it() -> None:
    blueprint = analyse(SOURCE)
    fork, other = make(EMBEDDED, order()), make(EMBEDDED, order(mode="reimagine"))
    assert blueprint.hook_shape == "directive"
    assert (fork.hook_shape, fork.duration_ms) == ("directive", 21_000)
    assert [(shot["startMs"], shot["endMs"]) for shot in fork.creative["shots"]] == list(blueprint.shots)
    assert hook_shape(fork.creative["hook"]) == "directive"
    assert other.hook_shape != "directive"
    assert len(other.creative["shots"]) != len(fork.creative["shots"])


def test_a_shape_that_the_brand_cannot_carry_is_substituted_and_says_so() -> None:
    source = {**SOURCE, "transcript": [{"startMs": 0, "endMs": 3_000, "text": "Get 40% off with a code."}]}
    made = make(EMBEDDED, order(source=source))
    assert made.provenance["substitutions"] == {"hookShape": "offer"}
    assert made.hook_shape == "callout"


@pytest.mark.parametrize("shape", sorted(HOOKS))
def test_every_hook_frame_has_the_shape_it_claims(shape: str) -> None:
    for frame in HOOKS[shape]:
        for angle in ANGLES.values():
            slots = {**angle, "pain_s": sentence_case(angle["pain"]), "scene_s": sentence_case(angle["scene"])}
            hook = sentence_case(frame.format(**slots))
            assert hook_shape(hook) == shape, hook
            assert len(hook.split()) <= 14, hook
            assert len(hook) <= 90, hook


def test_plan_and_frames_know_the_same_shapes_and_angles() -> None:
    assert set(HOOK_SHAPES) == set(HOOKS)
    assert set(PLANNED_ANGLES) == set(ANGLES)


@pytest.mark.parametrize("mode", ["fork", "reimagine"])
def test_no_two_hooks_of_a_job_or_its_neighbour_are_the_same(mode: str) -> None:
    for source in SOURCES:
        hooks = [
            make(EMBEDDED, order(index, source=source, mode=mode, job_id=uuid.UUID(int=job), ordinal=job)).creative[
                "hook"
            ]
            for job in (4, 5)
            for index in range(10)
        ]
        assert len(set(hooks)) == len(hooks)


def test_the_same_request_gives_the_same_creative_whatever_the_attempt() -> None:
    first = make(EMBEDDED, order(3, mode="reimagine"))
    assert make(EMBEDDED, order(3, mode="reimagine", attempt=4)) == first
    assert make(EMBEDDED, order(3, mode="reimagine", job_id=uuid.UUID(int=8))) != first


def test_golden_creative() -> None:
    """The same bytes on any machine. If you change a frame on purpose, change this and the generator's version."""
    creative = make(EMBEDDED, order()).creative
    assert creative["hook"] == "Stop putting up with paying twice at the end of the month."
    assert creative["cta"] == "Tap the link to meet Luma"


def test_overrides_stand_byte_for_byte() -> None:
    overrides = {
        "caption": " Stop scrubbing your face every single night. \n",
        "cta": "",
        "voiceOverScript": "ñ 👩‍🔬 {x}",
    }
    made = make(EMBEDDED, order(overrides=overrides))
    assert {field: made.creative[field] for field in overrides} == overrides
    assert made.provenance["overridden"] == ["caption", "cta", "voiceOverScript"]


@pytest.mark.parametrize("language", ["es", "de", "ja", "pt-BR"])
def test_a_language_it_does_not_write_is_an_error_and_not_english(language: str) -> None:
    with pytest.raises(GenerationFailed) as raised:
        make(EMBEDDED, order(language=language))
    assert raised.value.code == "LANGUAGE_UNSUPPORTED"
    assert language in str(raised.value)


@pytest.mark.parametrize("language", ["en", "en-GB", "EN_us"])
def test_english_by_any_name(language: str) -> None:
    assert make(EMBEDDED, order(language=language)).creative["hook"]


@pytest.mark.parametrize(
    "brand",
    [
        {"name": "Luma"},
        {"name": "Duran Duran", "product": "running shoes", "cta": {"kind": "link", "text": "  "}},
        {"name": "[x] & Co.", "benefits": ["very very light"], "proof": [], "audience": ""},
        {"name": "Luma", "benefits": [None, 3, ""], "proof": "none", "cta": None},
    ],
)
def test_a_brand_with_little_to_say_still_gets_a_creative(brand: dict[str, Any]) -> None:
    for index in range(10):
        creative = make(EMBEDDED, order(index, brand=brand)).creative
        assert brand["name"] in creative["caption"]


def test_a_brand_without_proof_claims_none() -> None:
    source = {
        **SOURCE,
        "transcript": [
            {"startMs": i * 5_000, "endMs": i * 5_000 + 5_000, "text": "It works, see the reviews."} for i in range(4)
        ],
    }
    script = make(EMBEDDED, order(source=source, brand={"name": "Luma"})).creative["voiceOverScript"]
    assert "stands behind" not in script
    assert "No big words" not in script


def test_facts_that_the_source_says_or_the_brand_bans_are_not_used() -> None:
    brand = {**BRAND, "benefits": ["two weeks of doing less, and look at this", "flawless skin", "sinks in fast"]}
    assert usable_brand(brand, source_text=said(SOURCE))["benefits"] == ["sinks in fast"]
    audience = {**BRAND, "audience": "people who wondered why my cheeks stayed red"}
    assert "audience" not in usable_brand(audience, source_text=said(SOURCE))


def test_each_try_gives_other_words_and_the_third_miss_fails_with_the_bar() -> None:
    class Quoter:
        name = "quoter/1"

        def __init__(self, good_from: int) -> None:
            self.tries: list[int] = []
            self.good_from = good_from

        def realise(self, brief: VariationBrief, brand: Any, language: str, attempt: int) -> Texts:
            self.tries.append(attempt)
            script = "Luma is here." if attempt >= self.good_from else "Stop scrubbing your face every single night."
            return Texts("Luma.", "Luma.", "Luma.", script, ("x",) * len(brief.shots))

    never, second = Quoter(9), Quoter(2)
    with pytest.raises(GenerationFailed, match="quoting") as raised:
        make(ComposedGenerator(never, waits=False, lease_ahead=1), order())
    assert raised.value.code == "QUALITY_GATE"
    assert never.tries == [1, 2, 3]
    assert make(ComposedGenerator(second, waits=False, lease_ahead=1), order()).provenance["tries"] == 2


GOOD: Final = {
    "hook": "Luma.",
    "caption": "Luma.",
    "cta": "Tap the link to meet Luma",
    "voiceOverScript": "Luma is here.",
}


@pytest.mark.parametrize(
    ("script", "bar"),
    [
        ("Luma is here.", None),
        ("  ", "empty"),
        ("Luma is is here.", "reads_as_written"),
        ("Luma {benefit}.", "reads_as_written"),
        ("Luma , here.", "reads_as_written"),
        ("Luma: stop scrubbing your face every night.", "quoting"),
        ("Luma is flawless.", "banned_words"),
        ("Luma helps 97 percent.", "facts"),
        ("Luma, tested with 120 people.", None),
        ("Tap the link to meet Luma", None),
    ],
)
def test_each_bar(script: str, bar: str | None) -> None:
    source = said(SOURCE) + "\nTap the link to meet my cat. Tap the link to meet Luma"
    assert failed_bar({**GOOD, "voiceOverScript": script}, source_text=source, brand=BRAND) == bar


def test_a_brand_that_is_not_named_misses_a_bar() -> None:
    texts = dict.fromkeys(GOOD, "It is here.")
    assert failed_bar(texts, source_text="", brand=BRAND) == "brand_unnamed"


@given(st.text(max_size=300), st.lists(st.text(max_size=80), max_size=6), st.none() | st.integers(1, 200_000))
def test_analysis_takes_any_text(caption: str, lines: list[str], duration_ms: int | None) -> None:
    transcript = [
        {"startMs": number * 1_000, "endMs": number * 1_000 + 1_000, "text": line} for number, line in enumerate(lines)
    ]
    blueprint = analyse({"caption": caption, "transcript": transcript or None, "durationMs": duration_ms})
    assert blueprint.shots[0][0] == 0
    assert blueprint.shots[-1][1] == blueprint.duration_ms > 0
    assert blueprint.beats[0].kind == "hook"
    assert blueprint.hook_shape


@given(
    st.lists(st.sampled_from(["a", "b", "c", "d", "skin", "night"]), max_size=12),
    st.lists(st.sampled_from(["a", "b", "c", "d", "skin", "night"]), max_size=12),
)
def test_five_shared_words_in_a_row_are_always_a_quote(mine: list[str], theirs: list[str]) -> None:
    shared = any(mine[i : i + 5] == theirs[j : j + 5] for i in range(len(mine) - 4) for j in range(len(theirs) - 4))
    assert not shared or quotes(" ".join(mine), " ".join(theirs))
