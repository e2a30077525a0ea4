"""What can be measured of looks: contrast, the safe area, whole texts, scenes that differ, the brand's colour."""

import itertools

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageChops

from consumers.rendering import layers
from consumers.rendering.frame import Box, Frame
from consumers.rendering.lettering import drawable, fit
from consumers.rendering.palette import BLACK, MIN_CONTRAST, WHITE, Color, contrast, mix, parse, tone
from consumers.rendering.scenes import scene
from consumers.rendering.shots import BEATS, shots
from tests.rendering.orders import order

COLORS = st.tuples(*[st.integers(0, 255)] * 3)
TEXTS = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyzÄÉñß   .,'&WM"), min_size=1, max_size=300).filter(str.strip)
FRAMES = st.sampled_from([Frame(540, 960), Frame(270, 480)])


def test_contrast_is_wcag() -> None:
    assert contrast(BLACK, BLACK) == 1
    assert contrast((0, 0, 0), WHITE) == pytest.approx(21)
    # A published pair: #767676 on white is the lightest grey that passes.
    assert contrast((0x76, 0x76, 0x76), WHITE) == pytest.approx(4.54, abs=0.01)


@given(COLORS, st.sampled_from(sorted(BEATS)), st.integers(0, 60))
@example((255, 255, 255), "cta", 0)
@example((0, 0, 0), "hook", 1)
@example((127, 127, 127), "cta", 2)
@example((242, 193, 78), "hook", 0)
def test_every_text_stands_out_whatever_the_brands_colour(base: Color, beat: str, turn: int) -> None:
    found = tone(base, beat, turn)
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        assert contrast(found.ink, mix(found.top, found.bottom, share)) >= MIN_CONTRAST
    plate, ink = layers.plate_colors(found)
    assert contrast(plate, ink) >= MIN_CONTRAST


@given(COLORS)
def test_captions_stand_out_on_whatever_is_behind(behind: Color) -> None:
    picture = Image.new("RGB", (540, 960), behind)
    layers.caption(Frame(), ["Read this", "on a phone"]).over(picture)
    box = _changed(Image.new("RGB", (540, 960), behind), picture)
    # The plate's edge: what the letters stand on.
    plate = picture.getpixel((270, box.top + 3))
    assert isinstance(plate, tuple)
    assert contrast((plate[0], plate[1], plate[2]), WHITE) >= MIN_CONTRAST


@given(TEXTS, FRAMES)
def test_every_text_is_whole_and_in_the_safe_area(text: str, frame: Frame) -> None:
    found = tone((225, 29, 72), "hook", 0)
    middle = (128, 64, 32)
    blank = Image.new("RGB", (frame.width, frame.height), middle)
    words = text.split()
    for layer in (
        layers.title(frame, text, found),
        layers.body(frame, text, found),
        layers.wordmark(frame, text[:40].strip() or "L", found),
        layers.caption(frame, [words[0][:24], words[-1][:24]]),
    ):
        picture = blank.copy()
        layer.over(picture)
        box = _changed(blank, picture)
        assert box.left >= 0.06 * frame.width
        assert box.right <= 0.94 * frame.width
        assert box.top >= 0.14 * frame.height
        assert box.bottom <= 0.65 * frame.height
        # Nothing of a letter is cut off: no ink touches the plate's edge.
        pixels = np.asarray(layer.image.convert("RGB"), int)
        plate = pixels[layer.image.height // 2, 1]
        height, width = pixels.shape[:2]
        across, down = slice(width * 2 // 5, width * 3 // 5), slice(height * 2 // 5, height * 3 // 5)
        for edge in (pixels[1, across], pixels[-2, across], pixels[down, 1], pixels[down, -2]):
            assert (edge == plate).all()
        assert _letters(pixels, plate)


@given(TEXTS, st.integers(40, 400), st.integers(20, 300))
def test_a_text_that_is_fitted_has_all_its_words_inside(text: str, width: int, height: int) -> None:
    found = fit(text, Box(0, 0, width, height), largest=40)
    assert " ".join(found.lines) == " ".join(text.split())
    if found.font.size > 1:
        assert all(found.font.getlength(line) <= width for line in found.lines)
        assert found.height <= height


def test_type_can_be_read_on_a_phone() -> None:
    # 540 pixels are about 390 points of a phone: 24 pixels are 17 points, the size of body text there.
    safe = Frame().safe
    caption = fit("m" * 24, Box(0, 0, safe.width - 24, 84), largest=33, most_lines=1)
    assert caption.font.size >= 19
    usual = fit("You use it once a day,", Box(0, 0, safe.width - 24, 84), largest=33, most_lines=1)
    assert usual.font.size == 33
    longest_hook = "Fourteen words are the most that a hook has got and they stand large here"
    assert fit(longest_hook, Box(0, 0, safe.width - 44, 290), largest=58).font.size >= 40


def test_scenes_differ_with_the_beat_and_from_shot_to_shot() -> None:
    pictures = {
        (beat, turn): scene(135, 240, beat=beat, visual_format="demo", tone=tone((225, 29, 72), beat, turn), turn=turn)
        for beat in sorted(BEATS)
        for turn in range(2)
    }
    for one, other in itertools.combinations(pictures.values(), 2):
        difference = np.asarray(ImageChops.difference(one, other), float).mean()
        assert difference > 1


def test_shots_go_from_hook_to_call_and_say_their_own_beats() -> None:
    found = shots(order(beats=(None,) * 8))
    assert (found[0].beat, found[-1].beat) == ("hook", "cta")
    assert len({shot.beat for shot in found}) >= 6
    assert [shot.beat for shot in shots(order(beats=("proof", "objection")))] == ["proof", "objection"]


def test_a_shot_shows_the_beat_of_the_plan_that_takes_most_of_it() -> None:
    wanted = order(beats=("hook", "problem", "proof", "cta"), duration_ms=8_000)
    spans = [(0, 2_500), (2_500, 5_000), (5_000, 8_000)]
    wanted.creative["shots"] = [{"startMs": start, "endMs": end, "description": "A shelf."} for start, end in spans]
    assert [shot.beat for shot in shots(wanted)] == ["hook", "problem", "cta"]


@pytest.mark.parametrize(("text", "color"), [("#e11d48", (225, 29, 72)), ("f0a", (255, 0, 170)), ("  #FFFFFF ", WHITE)])
def test_colours_are_read(text: str, color: Color) -> None:
    assert parse(text) == color


@pytest.mark.parametrize("text", ["", "red", "#12345", "#12345g", None, 7, "url(#a)"])
def test_what_is_no_colour_is_passed_over(text: object) -> None:
    assert parse(text) is None


def test_the_brands_colour_is_in_the_picture() -> None:
    wanted = order(brand={"name": "Luma", "color": "#0f766e"})
    picture = np.asarray(shots(wanted)[0].picture(135, 240), int).reshape(-1, 3)
    assert np.abs(picture - (0x0F, 0x76, 0x6E)).sum(axis=1).min() < 24
    plain = {shots(order(brand={"name": name}))[0].tone.top for name in ("Luma", "Kern", "Brot", "Nord")}
    assert len(plain) > 1


@pytest.mark.parametrize(
    ("text", "drawn", "uncovered"),
    [
        ("Größe, ¿qué? łódź ñ", "Größe, ¿qué? łódź ñ", ()),
        ("Γειά σου, привет", "Γειά σου, привет", ()),
        ("new ✨🧴 serum\u200d", "new serum", ()),
        ("paraŀlel", "paral·lel", ()),
        ("こんにちは", "", ("HIRAGANA",)),
        ("مرحبا", "", ("ARABIC",)),
    ],
)
def test_the_font_says_what_it_covers(text: str, drawn: str, uncovered: tuple[str, ...]) -> None:
    found = drawable(text)
    assert (found.text, found.uncovered) == (drawn, uncovered)


def _changed(before: Image.Image, after: Image.Image) -> Box:
    box = ImageChops.difference(before, after).getbbox()
    assert box is not None
    return Box(*box)


def _letters(pixels: NDArray[np.int_], plate: NDArray[np.int_]) -> bool:
    return bool((np.abs(pixels[4:-4, 4:-4] - plate).sum(axis=2) > 300).any())
