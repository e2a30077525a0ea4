"""The clip: H.264 with the captions in the picture, and AAC sound, in an MP4 that plays while it loads.

One thread and no times of the day in it, so that the same pictures and samples give the same bytes.
"""

import tempfile
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from PIL import Image

from consumers.rendering.frame import Frame
from consumers.rendering.layers import Layer
from consumers.rendering.voice import SAMPLE_RATE, Samples

FRAMES_PER_SECOND: Final = 24
_ZOOM: Final = 0.06
_QUALITY: Final = "24"
# x264's macroblock tree gives other bytes now and then, of the same frames and with one thread.
_SAME_BYTES: Final = "threads=1:mbtree=0"
_SOUND_BITS: Final = 96_000
_SOUND_FRAME: Final = 1_024


class Stretch:
    """One shot of the clip: a picture that the view moves over, and what lies on it."""

    def __init__(self, start_ms: int, end_ms: int, picture: Image.Image, layers: Sequence[Layer]) -> None:
        self.start_ms, self.end_ms = start_ms, end_ms
        self.picture, self.layers = picture, layers

    def at(self, ms: float, frame: Frame, *, inwards: bool) -> Image.Image:
        """The picture at that moment of the clip."""
        share = min(1.0, max(0.0, (ms - self.start_ms) / max(1, self.end_ms - self.start_ms)))
        margin = _ZOOM / 2 * (share if inwards else 1 - share)
        width, height = self.picture.size
        box = (width * margin, height * margin, width * (1 - margin), height * (1 - margin))
        seen = self.picture.resize((frame.width, frame.height), Image.Resampling.BILINEAR, box=box)
        for layer in self.layers:
            layer.over(seen)
        return seen


Timed = tuple[int, int, Layer]
"""From, until (ms), what."""


def video(frame: Frame, stretches: Sequence[Stretch], captions: Sequence[Timed], sound: Samples, clip_ms: int) -> bytes:
    """An MP4 of exactly the clip's frames; the sound ends with it or before."""
    with tempfile.TemporaryDirectory(prefix="clonepost-") as folder:
        file = Path(folder) / "clip.mp4"
        options = {"movflags": "+faststart", "fflags": "+bitexact"}
        with av.open(str(file), "w", format="mp4", options=options) as container:
            picture = container.add_stream("libx264", rate=FRAMES_PER_SECOND)
            picture.width, picture.height, picture.pix_fmt = frame.width, frame.height, "yuv420p"
            picture.codec_context.thread_count = 1
            picture.options = {"preset": "veryfast", "crf": _QUALITY, "tune": "animation", "x264-params": _SAME_BYTES}
            voice = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
            voice.bit_rate = _SOUND_BITS
            voice.codec_context.thread_count = 1
            for number, image in enumerate(_frames(frame, stretches, captions, clip_ms)):
                shown = av.VideoFrame.from_ndarray(np.asarray(image), format="rgb24")
                shown.pts, shown.time_base = number, Fraction(1, FRAMES_PER_SECOND)
                container.mux(picture.encode(shown))
            container.mux(picture.encode(None))
            for start, piece in _pieces(sound, clip_ms):
                heard = av.AudioFrame.from_ndarray(piece[np.newaxis, :], format="fltp", layout="mono")
                heard.sample_rate, heard.pts, heard.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
                container.mux(voice.encode(heard))
            container.mux(voice.encode(None))
        return file.read_bytes()


def _frames(
    frame: Frame, stretches: Sequence[Stretch], captions: Sequence[Timed], clip_ms: int
) -> Iterator[Image.Image]:
    place, cue = 0, 0
    for number in range(max(1, clip_ms * FRAMES_PER_SECOND // 1000)):
        ms = number * 1000 / FRAMES_PER_SECOND
        while place + 1 < len(stretches) and ms >= stretches[place + 1].start_ms:
            place += 1
        while cue < len(captions) and ms >= captions[cue][1]:
            cue += 1
        seen = stretches[place].at(ms, frame, inwards=place % 2 == 0)
        if cue < len(captions) and ms >= captions[cue][0]:
            captions[cue][2].over(seen)
        yield seen


def _pieces(sound: Samples, clip_ms: int) -> Iterator[tuple[int, Samples]]:
    """The sound in the encoder's pieces, filled up with silence nearly to the clip's end, never beyond it."""
    # The encoder adds one piece of its own in front.
    whole = max(1, clip_ms * SAMPLE_RATE // 1000 // _SOUND_FRAME - 1)
    for number in range(whole):
        start = number * _SOUND_FRAME
        piece = sound[start : start + _SOUND_FRAME]
        yield start, np.pad(piece, (0, _SOUND_FRAME - len(piece)))
