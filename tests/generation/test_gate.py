"""Every bar of the gate: good copy passes, and each kind of bad copy fails with the bar's name."""

from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.generation.analysis.analyse import analyse
from consumers.generation.gate.banned import banned_pattern
from consumers.generation.gate.judge import Case, as_member, judge
from consumers.generation.gate.quoting import quoting
from consumers.generation.gate.source import source_text
from consumers.generation.gate.usable import usable_brand
from consumers.generation.planning.capability import capability
from consumers.generation.planning.plan import plan
from consumers.generation.realise import Texts
from tests.generation.orders import SOURCE
from tests.generation.world import BRAND

SAID: Final = source_text(SOURCE)
BRIEF: Final = plan(
    analyse(SOURCE),
    capability(BRAND),
    mode="fork",
    job_id="job",
    index=0,
    attempt=1,
    ordinal=0,
    layer_format="video",
)
CASE: Final = Case(BRIEF, analyse(SOURCE), SAID, BRAND, "en")
GOOD: Final = Texts(
    hook="Stop fighting with the pump.",
    caption="Luma sinks in within a minute. The pump was not consulted.",
    cta="Tap the link to meet Luma",
    script="Stop fighting with the pump. You chase the last drop with a cotton bud. Then Luma came along, and the shelf"
    " got lighter. Let it do its part before breakfast. Tap the link to meet Luma.",
    shot_descriptions=("A hand at a pump.", "A bottle beside a tap.", "Luma in daylight."),
)


def missed(texts: Texts, case: Case = CASE) -> set[str]:
    return {finding.bar for finding in judge(texts, case)}


def test_good_copy_passes() -> None:
    assert judge(GOOD, CASE) == []


SCRIPT: Final = GOOD.script


@pytest.mark.parametrize(
    ("field", "text", "bar"),
    [
        ("script", " ", "empty"),
        ("script", SCRIPT.replace("chase the", "chase the the"), "reads_as_written"),
        ("script", SCRIPT.replace("the shelf", "{benefit}"), "reads_as_written"),
        ("script", SCRIPT.replace("drop with", "drop , with"), "reads_as_written"),
        ("script", SCRIPT.replace("a cotton", "an cotton"), "reads_as_written"),
        ("script", SCRIPT.replace("cotton bud", "&amp; bud"), "reads_as_written"),
        ("script", SCRIPT.replace("You chase", "you chase"), "reads_as_written"),
        ("script", SCRIPT.replace("last drop", "LAST DROP"), "reads_as_written"),
        ("script", SCRIPT.replace("the shelf got lighter", "it is a game changer"), "reads_as_written"),
        ("script", SCRIPT.replace("the shelf got lighter", "damn it works"), "reads_as_written"),
        ("script", SCRIPT.replace("the shelf", 'the "shelf'), "reads_as_written"),
        (
            "hook",
            "Stop fighting with the pump and the towel and the mirror and the shelf in one go.",
            "reads_as_written",
        ),
        ("hook", "Stop fighting with the", "reads_as_written"),
        ("script", SCRIPT.replace("You chase", "You keep scrubbing your face every single night and chase"), "quoting"),
        ("script", SCRIPT.replace("the shelf got", "my cheeks stayed red and the shelf got"), "quoting"),
        ("script", SCRIPT.replace("You chase", "Look at this, two weeks of doing less. You chase"), "quoting"),
        ("caption", "Luma, as seen by @dewydiaries on a slow day.", "quoting"),
        ("caption", "Luma is for #skintok and slow days.", "quoting"),
        ("script", SCRIPT.replace("the shelf", "97 percent of the shelf"), "facts"),
        ("script", SCRIPT.replace("the shelf got lighter", "thousands already did it"), "facts"),
        ("caption", "Luma is award-winning and knows it.", "facts"),
        ("caption", "Luma, now with free shipping for slow days.", "facts"),
        ("caption", "Luma for flawlessly slow days.", "banned_words"),
        ("caption", "Stop fighting with that pump.", "brand"),
        ("script", SCRIPT + " " + "And then there is more to say about the shelf by the window. " * 5, "fit"),
        ("caption", "Luma came. You chase the last drop with a cotton bud.", "copies"),
        (
            "script",
            "Detente y mira el espejo sin prisa, con Luma y una taza para los días que no tienen fin.",
            "language",
        ),
        ("hook", "Why is the pump still a thing?", "hook_shape"),
        ("cta", "Follow for the next chapter", "asks"),
    ],
)
def test_each_kind_of_bad_copy_fails(field: str, text: str, bar: str) -> None:
    changed: dict[str, Any] = {field: text}
    texts = replace(GOOD, **changed)
    if bar == "brand":
        texts = replace(texts, script=texts.script.replace("Luma", "it"), cta="Tap the link")
        bar = "brand_unnamed"
    assert bar in missed(texts)


def test_a_brand_may_say_its_own_name_and_call_to_action_whatever_the_source_says() -> None:
    source = {**SOURCE, "caption": "Tap the link to meet my cat. Tap the link to meet Luma"}
    case = replace(CASE, source=source_text(source))
    assert judge(GOOD, case) == []


def test_what_is_overridden_is_not_judged() -> None:
    texts = replace(GOOD, script="Stop scrubbing your face every single night.", caption=" <b> ")
    assert missed(texts)
    assert not judge(texts, replace(CASE, overridden=("caption", "voiceOverScript")))


def test_siblings_may_not_repeat_each_other() -> None:
    other = replace(GOOD, hook="Stop blaming the towel.", caption="Ask Luma about the towel.")
    first = [as_member(GOOD, CASE)]
    assert {"sentences_differ", "jaccard"} <= {finding.bar for finding in judge(other, CASE, first)}
    assert "hooks_differ" in {finding.bar for finding in judge(GOOD, CASE, first)}


def test_findings_never_quote_the_source() -> None:
    texts = replace(GOOD, script="I did it for six years and wondered why my cheeks stayed red, says Luma.")
    assert not any("cheeks" in finding.detail for finding in judge(texts, CASE))


def test_facts_that_the_source_says_or_the_brand_bans_are_not_used() -> None:
    brand: dict[str, Any] = {
        **BRAND,
        "benefits": ["two weeks of doing less, and look at this", "flawless skin", "sinks in fast"],
    }
    assert usable_brand(brand, SAID, "en")["benefits"] == ["sinks in fast"]
    audience = {**BRAND, "audience": "people who wondered why my cheeks stayed red"}
    assert "audience" not in usable_brand(audience, SAID, "en")


def test_facts_stand_only_in_a_layer_of_their_language() -> None:
    brand = {
        "benefits": ["seca en una noche y no pesa", "dries overnight and is light"],
        "proof": ["probado por 60 corredores"],
    }
    assert usable_brand(brand, SAID, "es")["benefits"] == ["seca en una noche y no pesa"]
    assert usable_brand(brand, SAID, "en")["benefits"] == ["dries overnight and is light"]
    assert usable_brand(BRAND, SAID, "de")["benefits"] == []


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ("hack", "Hacks for you."),
        ("hack", "It was hacked."),
        ("anti-aging", "An anti ageing cream."),
        ("anti-aging", "Antiaging."),
        ("flawless", "Flawlessly done."),
        ("glue", "Gluing it."),
        ("easy", "Easier than that."),
        ("pin", "Pinned to the wall."),
        ("injury-free", "Injury free running."),
    ],
)
def test_banned_words_are_found_in_their_inflections(entry: str, text: str) -> None:
    pattern = banned_pattern((entry,))
    assert pattern is not None
    assert pattern.search(text)


def test_a_banned_word_is_not_found_inside_another() -> None:
    pattern = banned_pattern(("rich",))
    assert pattern is not None
    assert not pattern.search("The ostrich is enriched.")


WORDS: Final = st.lists(st.sampled_from(["a", "b", "c", "d", "skin", "night"]), max_size=12)


@given(WORDS, WORDS)
def test_five_shared_words_in_a_row_are_always_a_quote(mine: list[str], theirs: list[str]) -> None:
    shared = any(mine[i : i + 5] == theirs[j : j + 5] for i in range(len(mine) - 4) for j in range(len(theirs) - 4))
    said = source_text({"caption": " ".join(theirs)})
    assert not shared or list(quoting("hook", " ".join(mine), said, (), set()))
