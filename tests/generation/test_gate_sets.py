"""The bars on a whole set, checked before each variation is accepted: on its plan, and on the facts that it states."""

from dataclasses import replace
from typing import Any, Final

import pytest

from consumers.generation.analysis.analyse import analyse
from consumers.generation.composed import ComposedGenerator
from consumers.generation.gate.coverage import stated
from consumers.generation.gate.judge import Case, as_member, judge
from consumers.generation.gate.source import source_text
from consumers.generation.generators import GenerationFailed
from consumers.generation.planning.brief import MAX_VARIATIONS, VariationBrief
from consumers.generation.planning.capability import capability
from consumers.generation.planning.plan import plan
from consumers.generation.realise import Assignment, Texts
from tests.generation.orders import SOURCE, make, order
from tests.generation.test_gate import GOOD
from tests.generation.world import BRAND

BLUEPRINT: Final = analyse(SOURCE)
FACTS: Final = (*BRAND["benefits"], *BRAND["proof"])
SILENT: Final = replace(GOOD, caption="Luma is our answer to the pump.")


def briefs(mode: str, ordinal: int = 0) -> list[VariationBrief]:
    return [
        plan(
            BLUEPRINT,
            capability(BRAND),
            mode=mode,
            job_id="job",
            index=index,
            attempt=1,
            ordinal=ordinal,
            layer_format="video",
        )
        for index in range(MAX_VARIATIONS)
    ]


def case(planned: list[VariationBrief], **changes: Any) -> Case:
    given = Case(planned[-1], BLUEPRINT, source_text(SOURCE), BRAND, "en", planned=planned, variations=len(planned))
    return replace(given, **changes)


def bars_missed(texts: Texts, judged: Case, before: tuple[Texts, ...] = ()) -> set[str]:
    return {finding.bar for finding in judge(texts, judged, [as_member(text, judged) for text in before])}


def spread_missed(planned: list[VariationBrief]) -> set[str]:
    return bars_missed(SILENT, case(planned)) & {
        "hook_shapes_of_a_set",
        "other_hook_shapes",
        "arcs_of_a_set",
        "angles_of_a_set",
    }


@pytest.mark.parametrize("mode", ["fork", "reimagine"])
@pytest.mark.parametrize("ordinal", range(0, 30, 7))
def test_every_set_that_is_planned_spreads(mode: str, ordinal: int) -> None:
    planned = briefs(mode, ordinal)
    assert [spread_missed(planned[:size]) for size in range(1, 11)] == [set()] * 10


def test_a_set_of_too_few_hook_shapes_is_refused() -> None:
    first, second, third, *_ = briefs("reimagine")
    again = replace(third, hook_shape=first.hook_shape)
    assert spread_missed([first, second, again]) == {"hook_shapes_of_a_set"}


def test_a_set_that_opens_as_the_source_does_is_refused() -> None:
    first, second, third, *_ = briefs("reimagine")
    same = replace(third, hook_shape=BLUEPRINT.hook_shape)
    assert spread_missed([first, second, same]) == {"other_hook_shapes"}


def test_a_set_of_too_few_arcs_is_refused() -> None:
    first, second, third, *_ = briefs("reimagine")
    assert spread_missed([first, second, replace(third, beats=first.beats)]) == {"arcs_of_a_set"}


def test_a_set_from_too_few_angles_is_refused() -> None:
    first, second, *_ = briefs("fork")
    assert spread_missed([first, replace(second, angle=first.angle)]) == {"angles_of_a_set"}


def test_a_variation_that_owes_a_fact_and_states_none_is_refused() -> None:
    planned = briefs("fork")
    owing = [
        index for index in range(10) if "facts_in_most" in bars_missed(SILENT, case(planned[: index + 1], facts=FACTS))
    ]
    assert owing == [0, 2, 3, 5, 7, 9]
    assert all(2 * sum(index < size for index in owing) > size for size in range(1, 11) if size != 2)
    told = replace(SILENT, caption="Luma sinks in within a minute, and the pump knows.")
    assert "facts_in_most" not in bars_missed(told, case(planned[:1], facts=FACTS))


def test_a_brand_with_one_fact_states_it_once_and_one_with_none_is_not_asked() -> None:
    planned = briefs("fork")
    for facts, wanted in ((FACTS[:1], [0]), ((), [])):
        owing = [at for at in range(10) if "facts_in_most" in bars_missed(SILENT, case(planned[: at + 1], facts=facts))]
        assert owing == wanted


def test_a_set_of_five_that_states_fewer_than_three_facts_is_refused_at_the_variation_that_brings_none() -> None:
    planned = briefs("fork")
    first = replace(SILENT, caption="Luma sinks in within a minute. The pump heard.")
    third = replace(SILENT, caption="Luma had a 28-day test with 120 people. The pump did not.")
    fourth = case(planned[:4], facts=FACTS, variations=5)
    assert "facts_over_five" in bars_missed(first, fourth, (first,))
    assert "facts_over_five" not in bars_missed(third, fourth, (first,))
    # A smaller set is asked for nothing.
    assert "facts_over_five" not in bars_missed(first, replace(fourth, variations=4), (first,))


def test_where_siblings_may_be_anywhere_each_states_the_fact_whose_turn_it_is() -> None:
    planned = briefs("fork")
    turns = [(index, planned[index].owed_fact(FACTS)) for index in (0, 2, 3)]
    assert {fact for _, fact in turns} == set(FACTS)
    for index, fact in turns:
        other = next(one for one in FACTS if one != fact)
        judged = case(planned[: index + 1], facts=FACTS, variations=5, alone=True)
        assert "facts_over_five" in bars_missed(replace(SILENT, caption=f"Luma: {other}. The pump knows."), judged)
        assert "facts_over_five" not in bars_missed(replace(SILENT, caption=f"Luma: {fact}. The pump knows."), judged)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("It was made to sink in within a minute.", True),
        ("Built to drain, and to dry overnight.", False),
        ("A minute is all you have.", False),
    ],
)
def test_a_fact_is_stated_in_its_own_words_or_forms_of_them(text: str, told: bool) -> None:
    assert bool(stated(text, ["sinks in within a minute"])) is told


class _Silent:
    """Writes what states no fact, whatever the gate says."""

    name = "silent/1"
    repeatable = False
    tries = 3

    def __init__(self) -> None:
        self.assignments: list[Assignment] = []

    def realise(self, assignment: Assignment) -> Texts:
        self.assignments.append(assignment)
        return replace(SILENT, shot_descriptions=("A hand at a pump.",) * len(assignment.brief.shots))


def test_what_states_no_fact_fails_after_three_tries_with_the_name_of_the_bar() -> None:
    realiser = _Silent()
    with pytest.raises(GenerationFailed, match="facts_in_most") as raised:
        make(ComposedGenerator(realiser, waits=False, lease_ahead=1), order())
    assert raised.value.code == "QUALITY_GATE"
    assert [one.attempt for one in realiser.assignments] == [1, 2, 3]
