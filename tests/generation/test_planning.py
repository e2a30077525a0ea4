"""Plans hold by construction, whatever is planned for."""

from itertools import pairwise
from typing import Any

import pytest

from bench.generation.corpus import brands, sources
from consumers.generation.analysis.analyse import analyse
from consumers.generation.gate.structure import fork_keeps, reimagining_leaves, structural_distance
from consumers.generation.planning.arcs import similarity
from consumers.generation.planning.brief import VariationBrief
from consumers.generation.planning.capability import capability, figure_of
from consumers.generation.planning.plan import plan
from consumers.generation.planning.walk import permutation, turn

ALL = [item.source for half in ("train", "held_out") for item in sources(half)]


def briefs(source: dict[str, Any], mode: str, count: int = 10, **changes: Any) -> list[VariationBrief]:
    brand = changes.pop("brand", brands()[0])
    fields = {"job_id": "j", "attempt": 1, "ordinal": 0, "layer_format": "video", **changes}
    return [plan(analyse(source), capability(brand), mode=mode, index=index, **fields) for index in range(count)]


def test_forks_keep_and_reimaginings_leave_the_structure_of_every_source() -> None:
    for number, source in enumerate(ALL):
        blueprint = analyse(source)
        brand = brands()[number % len(brands())]
        for brief in briefs(source, "fork", 3, brand=brand):
            assert list(fork_keeps(brief, blueprint)) == []
        for brief in briefs(source, "reimagine", 3, brand=brand):
            assert list(reimagining_leaves(brief, blueprint)) == []
            assert structural_distance(brief, blueprint) >= 0.3


def test_a_set_spreads_over_shapes_arcs_and_angles() -> None:
    for source in ALL[::5]:
        set_of_ten = briefs(source, "reimagine")
        assert len({brief.hook_shape for brief in set_of_ten}) >= 4
        for ordinal in range(4):
            three = briefs(source, "reimagine", 3, ordinal=ordinal)
            assert len({tuple(beat.kind for beat in brief.beats) for brief in three}) == 3
            assert len({brief.hook_shape for brief in three}) == 3
        assert len({brief.angle for brief in set_of_ten}) == 8


def test_beats_and_shots_tile_the_time() -> None:
    for source in ALL:
        for mode in ("fork", "reimagine"):
            for layer_format in ("video", "slideshow"):
                for brief in briefs(source, mode, 2, layer_format=layer_format):
                    for stretches in ([(beat.start_ms, beat.end_ms) for beat in brief.beats], list(brief.shots)):
                        assert stretches[0][0] == 0
                        assert stretches[-1][1] == brief.duration_ms
                        assert all(start < end for start, end in stretches)
                        assert all(a[1] == b[0] for a, b in pairwise(stretches))
                    assert layer_format == "video" or 4 <= len(brief.shots) <= 10


def test_the_same_request_gives_the_same_plan_and_another_job_another() -> None:
    assert briefs(ALL[3], "reimagine") == briefs(ALL[3], "reimagine")
    assert [one.seed for one in briefs(ALL[3], "fork", job_id="k")] != [one.seed for one in briefs(ALL[3], "fork")]
    assert [one.walk for one in briefs(ALL[3], "fork", 3, ordinal=2)] == [20, 21, 22]


def test_a_list_promises_no_more_than_there_is_time_for() -> None:
    seven = {
        "caption": "",
        "durationMs": 14_000,
        "transcript": [{"startMs": 0, "endMs": 3_000, "text": "Seven ways to rest."}],
    }
    assert briefs(seven, "fork", 1)[0].list_items == 2
    short = {**seven, "durationMs": 6_000}
    assert (briefs(short, "fork", 1)[0].hook_shape, briefs(short, "fork", 1)[0].substituted_for) == (
        "bold_claim",
        "list",
    )


@pytest.mark.parametrize(
    ("brand", "shape", "carried_by"),
    [
        ({"proof": ["4.8 stars from 9,200 reviews"]}, "social_proof", "social_proof"),
        ({"proof": ["a test with 120 people"]}, "social_proof", "relatable"),
        ({"benefits": ["weighs 218 grams"]}, "statistic", "statistic"),
        ({"benefits": ["is light"]}, "statistic", "bold_claim"),
        ({"benefits": ["free shipping on everything"]}, "offer", "offer"),
        ({}, "offer", "callout"),
        ({}, "question", "question"),
    ],
)
def test_what_a_brand_can_carry(brand: dict[str, Any], shape: str, carried_by: str) -> None:
    assert capability(brand).shape(shape) == carried_by


@pytest.mark.parametrize(
    ("fact", "figure"),
    [
        ("goes from box to table in 25 minutes", "25 minutes"),
        ("written by 14 working teachers", "14 working teachers"),
        ("a 28-day test with 120 people", "120 people"),
        ("grown since 1987", None),
    ],
)
def test_the_figure_of_a_fact(fact: str, figure: str | None) -> None:
    assert figure_of(fact) == figure


def test_similarity_of_arcs() -> None:
    assert similarity(["hook", "cta"], ["hook", "cta"]) == 1
    assert similarity(["hook", "problem", "cta"], ["hook", "cta"]) == pytest.approx(2 / 3)
    assert similarity([], ["hook"]) == 0


def test_walks_meet_everything_before_anything_again() -> None:
    assert sorted(turn(range(7), walk, "s") for walk in range(7)) == list(range(7))
    assert permutation(9, "a") != permutation(9, "b")
