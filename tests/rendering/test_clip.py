"""Clips are decoded again: size, time, streams, captions in the picture, a voice that ends with it, the same bytes."""

import io
import itertools
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from consumers.rendering import voice
from consumers.rendering.render import Asset
from tests.rendering.orders import SCRIPT, SMALL, order, rendered


@pytest.fixture(scope="module")
def assets() -> dict[str, Asset]:
    return rendered(order())


def frames(asset: Asset) -> list[NDArray[Any]]:
    with av.open(io.BytesIO(asset.content), "r") as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def sound(asset: Asset) -> NDArray[Any]:
    with av.open(io.BytesIO(asset.content), "r") as container:
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])


def test_a_clip_has_a_sheet_a_video_and_captions(assets: dict[str, Asset]) -> None:
    assert [(a.name, a.kind, a.content_type) for a in assets.values()] == [
        ("storyboard.webp", "storyboard", "image/webp"),
        ("video.mp4", "video", "video/mp4"),
        ("captions.vtt", "captions", "text/vtt"),
    ]


def test_the_video_is_what_it_says(assets: dict[str, Asset]) -> None:
    video = assets["video.mp4"]
    with av.open(io.BytesIO(video.content)) as container:
        picture, heard = container.streams.video[0], container.streams.audio[0]
        assert (picture.codec_context.name, picture.width, picture.height) == ("h264", SMALL.width, SMALL.height)
        assert picture.codec_context.pix_fmt == "yuv420p"
        assert heard.codec_context.name == "aac"
        assert picture.duration is not None
        assert heard.duration is not None
        picture_seconds = float(picture.duration * (picture.time_base or 0))
        assert picture_seconds == pytest.approx(video.facts["durationMs"] / 1000, abs=0.05)
        assert float(heard.duration * (heard.time_base or 0)) <= picture_seconds
    assert video.facts["voiceOverMs"] <= video.facts["durationMs"]
    # The index stands in front, so that it plays while it loads.
    assert video.content.index(b"moov") < video.content.index(b"mdat")


def test_the_voice_is_heard_and_ends_with_the_clip(assets: dict[str, Asset]) -> None:
    video = assets["video.mp4"]
    samples = sound(video)
    assert np.abs(samples).max() > 0.1
    until = video.facts["voiceOverMs"] * voice.SAMPLE_RATE // 1000 + 2_048
    assert np.abs(samples[until:]).max(initial=0) < 0.01


def test_captions_are_in_the_picture_when_they_are_due(assets: dict[str, Asset]) -> None:
    shown, safe = frames(assets["video.mp4"]), SMALL.safe
    cue = next(line for line in assets["captions.vtt"].content.decode().split("\n\n") if "sinks" in line)
    start, end = (_ms(time) for time in cue.split("\n")[0].split(" --> "))
    during, none = shown[(start + end) * 24 // 2000], shown[0]
    strip = slice(safe.bottom - 20, safe.bottom - 4)
    middle = slice(SMALL.width // 2 - 20, SMALL.width // 2 + 20)
    # White letters on a dark plate. The first words are the hook, which stands large elsewhere: no plate for them.
    assert _grey_share(during[strip, middle]) > 0.9
    assert _grey_share(none[strip, middle]) < 0.1


def test_the_picture_moves_and_cuts_where_the_shots_do(assets: dict[str, Asset]) -> None:
    shown = [frame.astype(int) for frame in frames(assets["video.mp4"])]
    steps = [np.abs(a - b).mean() for a, b in itertools.pairwise(shown)]
    cuts = sorted(np.argsort(steps)[-2:] + 1)
    length = assets["video.mp4"].facts["durationMs"]
    assert cuts == [round(24 * 2.0), round(24 * 4.0)] or length != 6_000
    assert np.abs(shown[2] - shown[44]).mean() > 0.5


def test_the_same_order_gives_the_same_bytes(assets: dict[str, Asset]) -> None:
    again = rendered(order())
    assert {name: asset.content for name, asset in again.items()} == {n: a.content for n, a in assets.items()}
    other = rendered(order(hook="Another hook"))
    assert other["video.mp4"].content != assets["video.mp4"].content


@pytest.mark.parametrize("duration_ms", [2_500, 5_500])
def test_no_voice_is_longer_than_its_video(duration_ms: int) -> None:
    video = rendered(order(duration_ms=duration_ms))["video.mp4"]
    assert duration_ms <= video.facts["durationMs"]
    assert video.facts["voiceOverMs"] <= video.facts["durationMs"]
    held = [note for note in video.facts["notes"] if "held" in note]
    assert bool(held) == (video.facts["durationMs"] > duration_ms)


def test_another_language_has_captions_and_silence_and_says_so() -> None:
    script = "Tu piel se ve cansada al mediodía. Toca el enlace."
    made = rendered(order(language="es", voiceOverScript=script, hook="¿Piel cansada?", cta="Toca el enlace"))
    video = made["video.mp4"]
    assert np.abs(sound(video)).max() < 0.001
    assert video.facts["voiceOverMs"] == 0
    assert [note for note in video.facts["notes"] if "English only" in note and "es" in note]
    assert "Tu piel se ve cansada" in made["captions.vtt"].content.decode().replace("\n", " ")


def test_letters_that_the_font_lacks_are_said_and_not_drawn_as_boxes() -> None:
    made = rendered(
        order(language="ja", voiceOverScript="こんにちは。", hook="こんにちは", cta="リンク", duration_ms=2_000)
    )
    assert [note for note in made["video.mp4"].facts["notes"] if "Hiragana" in note and "Katakana" in note]
    assert "こんにちは" in made["captions.vtt"].content.decode()


@pytest.mark.parametrize("script", ["", "🧴✨", "Hm.", "no-spaces-" * 30])
def test_odd_scripts_make_a_clip_too(script: str) -> None:
    made = rendered(order(voiceOverScript=script, duration_ms=1_500, beats=("hook",)))
    assert frames(made["video.mp4"])


def test_sentences_are_all_of_the_script() -> None:
    assert " ".join(voice.sentences(SCRIPT)) == SCRIPT


def _grey_share(pixels: NDArray[Any]) -> float:
    return float((np.ptp(pixels.astype(int), axis=2) < 24).mean())


def _ms(time: str) -> int:
    hours, minutes, seconds = time.split(":")
    return round((int(hours) * 3600 + int(minutes) * 60 + float(seconds)) * 1000)
