"""A brand's facts stand only where their grammar allows."""

import pytest

from consumers.generation.writing.facts import typed
from consumers.generation.writing.lexicon import lexicon
from consumers.generation.writing.voice import article_en, voice


@pytest.mark.parametrize(
    ("fact", "kind", "bare"),
    [
        ("Sinks in within a minute.", "vp", "sinks in within a minute"),
        ("splits shared bills automatically", "vp", "splits shared bills automatically"),
        ("has you speaking in the first five minutes", "vp", "has you speaking in the first five minutes"),
        ("arrives potted and ready for a dark corner", "vp", "arrives potted and ready for a dark corner"),
        ("recipes tested in 40 home kitchens", "np", "recipes tested in 40 home kitchens"),
        ("vet-reviewed recipes", "np", "vet-reviewed recipes"),
        ("Free shipping over 50 euros", "np", "free shipping over 50 euros"),
        ("A 28-day test with 120 people", "np", "a 28-day test with 120 people"),
        ("USB-C charging", "np", "USB-C charging"),
        ("wear-tested by 60 club runners", "part", "wear-tested by 60 club runners"),
        ("Grown in a family greenhouse since 1987.", "part", "grown in a family greenhouse since 1987"),
        ("you get paid in two days", "clause", "you get paid in two days"),
        ("Save time every week", "inf", "save time every week"),
        ("in under a minute", "adv", "in under a minute"),
        ("cruelty-free", "adj", "cruelty-free"),
    ],
)
def test_english_facts_are_typed(fact: str, kind: str, bare: str) -> None:
    (found,) = typed([fact], "en", gain=True)
    assert (found.kind, found.bare) == (kind, bare)


@pytest.mark.parametrize(
    ("language", "fact", "kind"),
    [
        ("es", "calienta el café en 4 minutos", "vp"),
        ("es", "seca en una noche", "vp"),
        ("es", "hecha en un taller desde 1974", "part"),
        ("de", "trocknet über Nacht", "vp"),
        ("de", "eine Reparatur, die nichts kostet", "np"),
    ],
)
def test_spanish_and_german_facts_are_typed(language: str, fact: str, kind: str) -> None:
    assert typed([fact], language, gain=True)[0].kind == kind


@pytest.mark.parametrize(
    "fact", ["<b>bold</b>", "Fast. Really.", "see https://x.example", "word " * 30, "{slot}", "two\nlines [x]"]
)
def test_what_is_no_plain_phrase_is_left_out(fact: str) -> None:
    assert typed([fact], "en", gain=True) == []


def test_the_infinitive_of_a_finite_phrase() -> None:
    facts = ["sinks in fast", "carries a laptop", "drains and dries overnight", "is light", "a test"]
    assert [fact.infinitive for fact in typed(facts, "en", gain=True)] == [
        "sink in fast",
        "carry a laptop",
        "drain and dry overnight",
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("phrase", "article"),
    [("oat milk", "an"), ("user app", "a"), ("hour glass", "an"), ("SUV", "an"), ("UV lamp", "a"), ("one pan", "a")],
)
def test_articles_by_sound(phrase: str, article: str) -> None:
    assert article_en(phrase) == article


@pytest.mark.parametrize(
    ("product", "phrase"),
    [("vitamin C serum", "a vitamin C serum"), ("running shoes", "running shoes"), ("oat milk", "oat milk")],
)
def test_a_product_has_the_article_that_it_takes(product: str, phrase: str) -> None:
    assert voice({"name": "Luma", "product": product}, lexicon("en")).slots["a_product"] == phrase


def test_what_a_brand_sells_decides_its_scenes() -> None:
    about = {
        product: voice({"name": "X", "product": product}, lexicon("en")).about
        for product in ("grain-free dog food", "invoicing software", "daily running shoe", "thing")
    }
    assert about == {
        "grain-free dog food": ("pets",),
        "invoicing software": ("work",),
        "daily running shoe": ("run",),
        "thing": (),
    }


@pytest.mark.parametrize("language", ["en", "es", "de"])
def test_every_slot_of_every_frame_can_be_filled(language: str) -> None:
    words = lexicon(language)
    known = set(words.scenes[0].slots) | {
        *("my_ing", "my_np", "my_wish", "past_once", "wish_doing", "brand", "product", "a_product", "the_product"),
        *("audience", "keyword", "figure", "crowd", "offer", "N", "Nth", "topic", "theme"),
        *(f"fact_{kind}" for kind in ("vp", "inf", "np", "part", "state", "clause", "adj", "adv")),
    }
    groups = (words.hooks, words.beats, words.facts, words.calls, words.call_texts, words.captions, words.shots)
    unknown = {
        slot for group in groups for frames in group.values() for frame in frames for slot in frame.slots
    } - known
    assert not unknown


def test_there_are_frames_enough() -> None:
    assert lexicon("en").frames() >= 400
