"""Slideshows: 4 to 10 cards, with every word, in order; and the contact sheet of any creative."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from consumers.rendering.cards import card_texts
from consumers.rendering.frame import Frame
from tests.rendering.orders import SCRIPT, order, rendered

SENTENCES = st.lists(
    st.lists(st.sampled_from(["ab", "cd", "ef", "gh"]), min_size=1, max_size=9).map(" ".join), max_size=30
)


@given(SENTENCES, st.integers(1, 60))
def test_there_are_4_to_10_cards_with_every_word(script: list[str], wanted: int) -> None:
    cards = card_texts("The hook.", script, "The call", wanted)
    assert len(cards) == min(10, max(4, wanted))
    assert (cards[0], cards[-1]) == ("The hook.", "The call")
    assert " ".join(" ".join(cards[1:-1]).split()) == " ".join(script)
    if sum(len(sentence.split()) for sentence in script) >= len(cards) - 2:
        assert all(cards)


def test_what_the_hook_and_the_call_say_is_not_said_twice() -> None:
    cards = card_texts("Stop it!", ["Stop it.", "One.", "Two.", "Tap the link."], "Tap the link", 4)
    assert cards == ["Stop it!", "One.", "Two.", "Tap the link"]


@pytest.mark.parametrize(("count", "cards"), [(1, 4), (4, 4), (7, 7), (10, 10), (60, 10)])
def test_a_slideshow_is_cards_and_a_sheet(count: int, cards: int) -> None:
    made = rendered(order(layer_format="slideshow", beats=(None,) * count))
    names = [f"card-{number:02}.webp" for number in range(1, cards + 1)]
    assert list(made) == ["storyboard.webp", *names]
    pictures = [Image.open(io.BytesIO(made[name].content)) for name in names]
    assert {(p.format, p.size) for p in pictures} == {("WEBP", (270, 480))}
    assert len({made[name].content for name in names}) == cards
    assert {made[name].content_type for name in names} == {"image/webp"}


def test_cards_are_the_same_bytes_again() -> None:
    wanted = order(layer_format="slideshow", beats=(None,) * 5, voiceOverScript=SCRIPT * 3)
    first, again = rendered(wanted), rendered(wanted)
    assert {n: a.content for n, a in first.items()} == {n: a.content for n, a in again.items()}


@pytest.mark.parametrize("count", [1, 2, 5, 9, 60])
def test_the_sheet_has_room_for_every_shot(count: int) -> None:
    wanted = order(beats=(None,) * count, duration_ms=3_000, voiceOverScript="", layer_format="slideshow")
    sheet = Image.open(io.BytesIO(rendered(wanted)["storyboard.webp"].content)).convert("RGB")
    # A thumbnail's own columns and rows: its middle is never paper.
    rows = -(-count // 4)
    assert sheet.height > rows * 480
    assert sheet.width >= 3 * 270
    longer = order(
        beats=(None,) * count, duration_ms=3_000, voiceOverScript="", layer_format="slideshow", hook="Long hook " * 8
    )
    assert Image.open(io.BytesIO(rendered(longer)["storyboard.webp"].content)).size == sheet.size


def test_a_long_description_makes_the_sheet_longer_and_is_not_cut() -> None:
    short, long = order(), order()
    long.creative["shots"][0]["description"] = "A shelf with everything on it. " * 12
    heights = [
        Image.open(io.BytesIO(rendered(one, frame=Frame(54, 96))["storyboard.webp"].content)).height
        for one in (short, long)
    ]
    assert heights[1] - heights[0] > 10 * 17
