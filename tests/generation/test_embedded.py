"""What the embedded generator makes: the source's structure, the brand's facts, and never the source's words."""

import json
import uuid
from importlib.resources import files
from itertools import pairwise
from typing import Any, Final

import pytest

from consumers.generation.analysis.analyse import analyse
from consumers.generation.analysis.hooks import hook_shape
from consumers.generation.composed import ComposedGenerator
from consumers.generation.gate.finding import Finding
from consumers.generation.generators import GenerationFailed
from consumers.generation.realise import MOST_TRIES, Assignment, Texts
from consumers.generation.writing.embedded import EmbeddedRealiser
from tests.generation.orders import SOURCE, make, order

EMBEDDED: Final = ComposedGenerator(EmbeddedRealiser(), waits=False, lease_ahead=64)
REFERENCE: Final = [
    json.loads(line) for line in files("clonepost.demo").joinpath("reference.jsonl").read_text().splitlines() if line
]
SOURCES: Final = [item for item in REFERENCE if item["type"] == "source_post"]
BRANDS: Final = [item["brand"] for item in REFERENCE if item["type"] == "project"]
TEXTS: Final = ("hook", "caption", "cta", "voiceOverScript")


@pytest.mark.parametrize("mode", ["fork", "reimagine"])
def test_every_demo_source_gives_three_variations(mode: str) -> None:
    assert len(SOURCES) >= 40
    for number, source in enumerate(SOURCES):
        brand = BRANDS[number % len(BRANDS)]
        for index in range(3):
            made = make(EMBEDDED, order(index, brand=brand, source=source, mode=mode, ordinal=number))
            assert all(made.creative[field].strip() for field in TEXTS)
            assert brand["name"] in made.creative["caption"] + made.creative["voiceOverScript"]
            assert made.creative["cta"] == brand["cta"]["text"]


@pytest.mark.parametrize("mode", ["fork", "reimagine"])
@pytest.mark.parametrize("layer_format", ["video", "slideshow"])
def test_shots_cover_the_duration_without_a_gap(mode: str, layer_format: str) -> None:
    for source in SOURCES[::3]:
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


@pytest.mark.parametrize("mode", ["fork", "reimagine"])
def test_no_two_hooks_of_a_job_or_its_neighbour_are_the_same(mode: str) -> None:
    for source in SOURCES[::5]:
        hooks = [
            make(EMBEDDED, order(index, source=source, mode=mode, job_id=uuid.UUID(int=job), ordinal=job)).creative[
                "hook"
            ]
            for job in (4, 5)
            for index in range(5)
        ]
        assert len(set(hooks)) == len(hooks)


def test_the_same_request_gives_the_same_creative_whatever_the_attempt_and_whoever_makes_it() -> None:
    first = make(EMBEDDED, order(3, mode="reimagine"))
    assert make(EMBEDDED, order(3, mode="reimagine", attempt=4)) == first
    elsewhere = ComposedGenerator(EmbeddedRealiser(), waits=False, lease_ahead=64)
    assert make(elsewhere, order(3, mode="reimagine")) == first
    assert make(EMBEDDED, order(3, mode="reimagine", job_id=uuid.UUID(int=8))) != first


def test_overrides_stand_byte_for_byte() -> None:
    overrides = {
        "caption": " Stop scrubbing your face every single night. \n",
        "cta": "",
        "voiceOverScript": "ñ 👩‍🔬 {x}",
    }
    made = make(EMBEDDED, order(overrides=overrides))
    assert {field: made.creative[field] for field in overrides} == overrides
    assert made.provenance["overridden"] == ["caption", "cta", "voiceOverScript"]


@pytest.mark.parametrize("language", ["fr", "ja", "pt-BR"])
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
        {"name": "iLuma", "product": "x" * 190, "benefits": ["A. B. C."], "bannedWords": ["the drawer", "list"]},
        {"name": "Luma", "benefits": [None, 3, ""], "proof": "none", "cta": None},
    ],
)
def test_a_brand_with_little_to_say_still_gets_a_creative(brand: dict[str, Any]) -> None:
    for index in range(10):
        creative = make(EMBEDDED, order(index, brand=brand)).creative
        assert brand["name"] in creative["caption"] + creative["voiceOverScript"]


def test_a_comment_keyword_is_asked_for_only_where_the_brand_has_one() -> None:
    with_word = {"name": "Luma", "cta": {"kind": "comment_keyword", "keyword": "GLOW"}}
    without = {"name": "Luma", "cta": {"kind": "comment_keyword"}}
    assert "GLOW" in make(EMBEDDED, order(brand=with_word)).creative["cta"]
    creative = make(EMBEDDED, order(brand=without)).creative
    assert "omment" not in creative["cta"] + creative["voiceOverScript"]


def test_provenance_tells_how_it_was_made() -> None:
    provenance = make(EMBEDDED, order(2, mode="reimagine")).provenance
    assert (provenance["model"], provenance["tokens"], provenance["tries"]) == (None, None, 1)
    assert provenance["beats"][0]["kind"] == "hook"
    assert provenance["scores"]["structuralDistance"] >= 0.3
    assert 0 <= provenance["scores"]["selfBleu4"] <= 0.28


class _Quoter:
    """Writes what quotes the source until the attempt from which on it does not."""

    name = "quoter/1"
    repeatable = False
    tries = MOST_TRIES

    def __init__(self, good_from: int) -> None:
        self.assignments: list[Assignment] = []
        self.good_from = good_from

    def realise(self, assignment: Assignment) -> Texts:
        self.assignments.append(assignment)
        good = assignment.attempt >= self.good_from
        return Texts(
            hook="Stop fighting the pump before bed.",
            caption="Luma, for the days that start early, evens out skin tone in four weeks.",
            cta="Tap the link to meet Luma",
            script="Stop fighting the pump before bed. Let Luma do its part, and enjoy a slow cup of tea."
            if good
            else "Stop scrubbing your face every single night, says Luma, and I did it for years.",
            shot_descriptions=("A hand at a pump.",) * len(assignment.brief.shots),
        )


def test_what_fails_is_tried_again_three_times_with_the_findings_then_fails_with_the_bar() -> None:
    never, second = _Quoter(9), _Quoter(2)
    with pytest.raises(GenerationFailed, match="quoting") as raised:
        make(ComposedGenerator(never, waits=False, lease_ahead=1), order())
    assert raised.value.code == "QUALITY_GATE"
    assert [one.attempt for one in never.assignments] == [1, 2, 3, 4]
    assert make(ComposedGenerator(second, waits=False, lease_ahead=1), order()).provenance["tries"] == 2
    assert second.assignments[0].findings == ()
    assert (
        Finding("quoting", "voiceOverScript", "repeats a run of words of the source") in second.assignments[1].findings
    )
