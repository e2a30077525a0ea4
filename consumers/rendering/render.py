"""One order rendered: a contact sheet always, and a clip with captions, or the cards of a slideshow."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from PIL import Image

from consumers.rendering import layers, voice
from consumers.rendering.cards import FEWEST, card_texts, same_words
from consumers.rendering.cues import Cue, Spoken, cues, evenly, needed_ms, vtt
from consumers.rendering.frame import Frame
from consumers.rendering.shots import Shot, shots
from consumers.rendering.storyboard import storyboard
from consumers.rendering.texts import Lettered, brand_name
from consumers.rendering.video import Stretch, Timed, video
from storage.renders import RenderOrder

CLIP: Final = Frame(540, 960)
CARD: Final = Frame(1080, 1920)
# The view moves over a picture that is a little larger than the clip.
_OVERSIZE: Final = 1.06


@dataclass(frozen=True, slots=True)
class Asset:
    """One file. `facts` are what GET content shows of it beside its name, kind, type and size."""

    name: str
    kind: str
    content_type: str
    content: bytes
    facts: dict[str, Any]

    def described(self) -> dict[str, Any]:
        """As the row keeps it."""
        return {
            "name": self.name,
            "kind": self.kind,
            "contentType": self.content_type,
            "bytes": len(self.content),
            "sha256": hashlib.sha256(self.content).hexdigest(),
            **self.facts,
        }


Keep = Callable[[Asset], None]
"""Takes an asset as soon as it is made, so that no more than one is in memory."""


def render(order: RenderOrder, keep: Keep, *, clip: Frame = CLIP, card: Frame = CARD) -> None:
    """Make every asset of the order, one after the other."""
    _slideshow(order, keep, card) if order.layer_format == "slideshow" else _clip(order, keep, clip)


@dataclass(frozen=True, slots=True)
class _Directed:
    """A clip before it is encoded: who says what when, and what is seen meanwhile."""

    clip_ms: int
    script: list[str]
    said: voice.VoiceOver | None
    shown: list[Cue]
    stretches: list[Stretch]
    burnt: list[Timed]
    sheet: Asset


def contact_sheet(order: RenderOrder, *, clip: Frame = CLIP, card: Frame = CARD) -> Asset:
    """The contact sheet alone, as `render` makes it."""
    if order.layer_format == "slideshow":
        return _dealt(order, card, Lettered())[1]
    return _directed(order, clip, Lettered()).sheet


def _clip(order: RenderOrder, keep: Keep, frame: Frame) -> None:
    lettered = Lettered()
    made = _directed(order, frame, lettered)
    keep(made.sheet)
    said, clip_ms = made.said, made.clip_ms
    sound = np.zeros(0, np.float32) if said is None else said.samples
    notes = lettered.notes()
    if made.script and said is None:
        notes.append(f"No voice-over: the voice speaks English only, and the layer's language is {order.language}.")
    if clip_ms > order.duration_ms:
        notes.append("The last shot is held: the script takes longer to say or to read than durationMs.")
    facts = {
        "width": frame.width,
        "height": frame.height,
        "durationMs": clip_ms,
        "voiceOverMs": 0 if said is None else said.duration_ms,
        "notes": notes,
    }
    film = video(frame, made.stretches, made.burnt, sound, clip_ms)
    keep(Asset("video.mp4", "video", "video/mp4", film, facts))
    text = vtt(made.shown).encode()
    keep(Asset("captions.vtt", "captions", "text/vtt", text, {"language": order.language, "cues": len(made.shown)}))


def _directed(order: RenderOrder, frame: Frame, lettered: Lettered) -> _Directed:
    script = voice.sentences(str(order.creative.get("voiceOverScript") or ""))
    clip_ms = max(order.duration_ms, needed_ms(script))
    said: voice.VoiceOver | None = None
    spoken: list[Spoken] = []
    if script and voice.speaks(order.language):
        said = voice.speak(script, clip_ms)
        clip_ms = max(clip_ms, said.duration_ms + 100)
        spoken = list(said.spoken)
    elif script:
        spoken = evenly(script, clip_ms)
    shown = cues(spoken, clip_ms) if spoken else []
    found = shots(order)
    stretches, burnt = _drawn(order, frame, found, shown, clip_ms, lettered)
    pictures = [stretch.at((stretch.start_ms + stretch.end_ms) / 2, frame, inwards=True) for stretch in stretches]
    for stretch, picture in zip(stretches, pictures, strict=True):
        middle = (stretch.start_ms + stretch.end_ms) / 2
        for start, end, layer in burnt:
            if start <= middle < end:
                layer.over(picture)
    sheet = _sheet(order, found, pictures, clip_ms, lettered)
    return _Directed(clip_ms, script, said, shown, stretches, burnt, sheet)


def _drawn(
    order: RenderOrder, frame: Frame, found: list[Shot], shown: list[Cue], clip_ms: int, lettered: Lettered
) -> tuple[list[Stretch], list[Timed]]:
    """The shots with what lies on them, and the captions that are burnt in."""
    brand = lettered(brand_name(order))
    titles = {"hook": lettered(order.creative.get("hook")), "cta": lettered(order.creative.get("cta"))}
    stretches = []
    for number, shot in enumerate(found):
        picture = shot.picture(round(frame.width * _OVERSIZE), round(frame.height * _OVERSIZE))
        on_it = [layers.wordmark(frame, brand, shot.tone)] if brand else []
        if titles.get(shot.beat):
            on_it.append(layers.title(frame, titles[shot.beat], shot.tone))
        end_ms = clip_ms if number == len(found) - 1 else shot.end_ms
        stretches.append(Stretch(shot.start_ms, end_ms, picture, on_it))
    burnt: list[Timed] = []
    for cue in shown:
        lines = [line for line in map(lettered, cue.lines) if line]
        middle_ms = (cue.start_ms + cue.end_ms) // 2
        title = next((titles.get(s.beat, "") for s in reversed(found) if s.start_ms <= middle_ms), "")
        # What stands large in the picture need not stand there twice.
        if lines and not _within(" ".join(lines), title):
            burnt.append((cue.start_ms, cue.end_ms, layers.caption(frame, lines)))
    return stretches, burnt


def _slideshow(order: RenderOrder, keep: Keep, frame: Frame) -> None:
    lettered = Lettered()
    pictures, sheet = _dealt(order, frame, lettered)
    keep(sheet)
    for number, picture in enumerate(pictures, 1):
        facts = {"width": frame.width, "height": frame.height, "notes": lettered.notes()}
        keep(Asset(f"card-{number:02}.webp", "card", "image/webp", _webp(picture), facts))


def _dealt(order: RenderOrder, frame: Frame, lettered: Lettered) -> tuple[list[Image.Image], Asset]:
    """The cards and the contact sheet of them."""
    creative, found = order.creative, shots(order)
    hook, cta = (lettered(creative.get(name)) for name in ("hook", "cta"))
    script = [lettered(sentence) for sentence in voice.sentences(str(creative.get("voiceOverScript") or ""))]
    said = card_texts(hook, [sentence for sentence in script if sentence], cta, max(FEWEST, len(found)))
    brand = lettered(brand_name(order))
    pictures = []
    for number, text in enumerate(said):
        # Where there are more cards than shots, the last shot before the call goes on.
        shot = found[-1] if number == len(said) - 1 else found[min(number, max(0, len(found) - 2))]
        picture = shot.picture(frame.width, frame.height)
        if brand:
            layers.wordmark(frame, brand, shot.tone).over(picture)
        if text:
            place = layers.title if number in (0, len(said) - 1) else layers.body
            place(frame, text, shot.tone).over(picture)
        pictures.append(picture)
    seen = [pictures[min(number, len(pictures) - 1)] for number in range(len(found))]
    return pictures, _sheet(order, found, seen, None, lettered)


def _sheet(
    order: RenderOrder, found: list[Shot], pictures: list[Image.Image], clip_ms: int | None, lettered: Lettered
) -> Asset:
    readable = [
        Shot(s.number, s.start_ms, s.end_ms, lettered(s.description), s.beat, s.visual_format, s.tone) for s in found
    ]
    length = f"{len(found)} cards" if clip_ms is None else f"{len(found)} shots · {clip_ms / 1000:.1f} s"
    facts = " · ".join(
        part
        for part in (
            lettered(brand_name(order)),
            order.hook_shape.replace("_", " "),
            order.visual_format.replace("_", " "),
            length,
        )
        if part
    )
    sheet = storyboard(lettered(order.creative.get("hook")), facts, readable, pictures)
    size = {"width": sheet.width, "height": sheet.height, "notes": lettered.notes()}
    return Asset("storyboard.webp", "storyboard", "image/webp", _webp(sheet), size)


def _webp(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=84, method=4)
    return out.getvalue()


def _within(text: str, title: str) -> bool:
    words, whole = text.casefold().split(), title.casefold().split()
    return same_words(text, title) or any(
        same_words(" ".join(words), " ".join(whole[start : start + len(words)])) for start in range(len(whole))
    )
