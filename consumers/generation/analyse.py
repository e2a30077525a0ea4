"""A source post becomes a Blueprint: structure and abstract premise. Pure; never raises on text."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from consumers.generation.texts import content_words, sentences, without_noise

DEFAULT_DURATION_MS: Final = 15_000
_MS_PER_WORD: Final = 400
_HOOK_MS: Final = 3_000

# Tried in this order; the first that matches names the hook.
_HOOK_RULES: Final[tuple[tuple[str, re.Pattern[str]], ...]] = tuple(
    (shape, re.compile(pattern, re.IGNORECASE))
    for shape, pattern in (
        ("pov", r"^\s*pov\b"),
        ("offer", r"\b(free|sale|\d+\s?% off|discount|code [a-z0-9]+|giveaway|limited time)\b"),
        (
            "before_after",
            r"\b(before and after|before vs|then vs now|before/after|transformation|from .{2,30} to .{2,30} in)\b",
        ),
        (
            "list",
            r"\b(\d{1,2}|two|three|four|five|six|seven|ten)\s+(things|ways|reasons|tips|mistakes|signs|rules|habits|steps|ideas)\b",
        ),
        (
            "statistic",
            r"\b\d+(\.\d+)?\s?(%|percent|out of|in \d+|x\b)|\b\d{2,}[,.]?\d*\s+(people|hours|days|minutes)\b",
        ),
        ("tutorial", r"\b(how to|here'?s how|step by step|tutorial|step (1|one))\b"),
        (
            "contrarian",
            r"\b(unpopular opinion|hot take|stop believing|is a (lie|myth)|overrated|you don'?t need|nobody needs)\b",
        ),
        (
            "social_proof",
            r"\b(everyone|everybody|thousands|my (whole )?(team|friends|family)|customers|reviews?|sold out)\b",
        ),
        (
            "reveal",
            r"\b(secret|truth|nobody (tells|talks)|no one (tells|talks)|reveal|finally|hidden|what they don'?t)\b",
        ),
        ("callout", r"^\s*(hey|attention|calling|to (all|every(one)?)|if you('re| are| have)|for (anyone|everyone))\b"),
        (
            "story",
            r"\b(i (was|used to|went|had|started|spent|tried|quit|lost)|last (week|year|month|night)|years? ago)\b",
        ),
        ("relatable", r"\b(when you|that feeling|me when|we'?ve all|tell me you|is it just me|why is it always)\b"),
        ("directive", r"^\s*(stop|start|try|never|always|do|don'?t|watch|listen|save|use|put|throw|read|wait)\b"),
        ("question", r"\?"),
    )
)
_CTA: Final[tuple[tuple[str, re.Pattern[str]], ...]] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        ("comment_keyword", r"\bcomment\b"),
        ("link", r"\blink in (my |the |our )?bio|tap the link|click the link|link below\b"),
        ("save", r"\bsave (this|it)\b"),
        ("follow", r"\bfollow\b"),
        ("shop", r"\b(shop|order|buy|grab (yours|one)|get yours)\b"),
        ("visit", r"\b(visit|come (by|see)|stop by|book)\b"),
    )
)
_FORMATS: Final = (
    ("unboxing", "unbox"),
    ("before_after", "before"),
    ("comparison", "versus"),
    ("tutorial", "step"),
    ("demo", "close-up"),
    ("skit", "acts"),
    ("testimonial", "customer"),
    ("text_wall", "text on"),
    ("talking_head", "camera"),
    ("lifestyle", "walk"),
)
_BEAT_RULES: Final[tuple[tuple[str, re.Pattern[str]], ...]] = tuple(
    (beat, re.compile(pattern, re.IGNORECASE))
    for beat, pattern in (
        ("objection", r"\b(i know what you|sounds? (too|expensive|weird)|skeptic|sceptic|didn'?t believe|but wait)\b"),
        ("turn", r"\b(until|then i|but then|turns out|that'?s when|everything changed)\b"),
        ("proof", r"\b(\d+|proof|results?|reviews?|tested|since then|works?)\b"),
        ("problem", r"\b(problem|hate|tired|struggl|annoy|hard|never had|can'?t|worst|waste|mess)\w*"),
        ("demo", r"\b(watch|look|see|first|next|step|pour|put|press|open|add|mix|tap)\b"),
    )
)


@dataclass(frozen=True, slots=True)
class Beat:
    """One stretch of the story."""

    kind: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What a source is made of. `cta_start` is a share of the duration, None without a call to action."""

    hook_shape: str
    hook_words: int
    beats: tuple[Beat, ...]
    duration_ms: int
    shots: tuple[tuple[int, int], ...]
    visual_format: str
    cta_kind: str | None
    cta_start: float | None
    premise: tuple[str, ...]
    spoken_words: int


def analyse(source: Mapping[str, Any]) -> Blueprint:
    """The blueprint of a source post; caption, transcript, shots and duration may each be missing."""
    caption = without_noise(str(source.get("caption") or ""))
    segments = _segments(source.get("transcript"))
    duration_ms = _duration(source.get("durationMs"), segments, caption)
    spoken = [(start, end, without_noise(text)) for start, end, text in segments if start < duration_ms]
    opening = " ".join(text for start, _, text in spoken if start < _HOOK_MS)
    hook = (sentences(opening) or sentences(caption) or [""])[0]
    cta_kind, cta_start = _cta(spoken, caption, duration_ms)
    shots = _shots(source.get("shots"), duration_ms)
    described = " ".join(
        str(shot.get("description") or "") for shot in source.get("shots") or () if isinstance(shot, dict)
    )
    text = " ".join([caption, *(text for _, _, text in spoken)])
    return Blueprint(
        hook_shape=hook_shape(hook),
        hook_words=len(hook.split()),
        beats=_beats(spoken, duration_ms, cta_start),
        duration_ms=duration_ms,
        shots=shots,
        visual_format="carousel" if source.get("format") == "slideshow" else _visual_format(described),
        cta_kind=cta_kind,
        cta_start=cta_start,
        premise=tuple(word for word, _ in Counter(content_words(text)).most_common(6)),
        spoken_words=sum(len(text.split()) for _, _, text in spoken),
    )


def hook_shape(hook: str) -> str:
    """The shape of a hook; bold_claim where nothing says otherwise."""
    return next((shape for shape, pattern in _HOOK_RULES if pattern.search(hook)), "bold_claim")


def _segments(transcript: object) -> list[tuple[int, int, str]]:
    if not isinstance(transcript, list):
        return []
    return [
        (int(part["startMs"]), int(part["endMs"]), str(part["text"]))
        for part in transcript
        if isinstance(part, dict) and {"startMs", "endMs", "text"} <= part.keys()
    ]


def _duration(given: object, segments: Sequence[tuple[int, int, str]], caption: str) -> int:
    if isinstance(given, int) and given > 0:
        return given
    if segments:
        return max(end for _, end, _ in segments)
    return max(DEFAULT_DURATION_MS, len(caption.split()) * _MS_PER_WORD)


def _shots(given: object, duration_ms: int) -> tuple[tuple[int, int], ...]:
    starts = sorted(
        {
            int(shot["startMs"])
            for shot in (given if isinstance(given, list) else ())
            if isinstance(shot, dict) and isinstance(shot.get("startMs"), int) and 0 < shot["startMs"] < duration_ms
        }
    )
    if not starts:
        count = max(1, round(duration_ms / 3_000))
        starts = [duration_ms * number // count for number in range(1, count)]
    edges = [0, *starts, duration_ms]
    return tuple((edges[i], edges[i + 1]) for i in range(len(edges) - 1))


def _cta(spoken: Sequence[tuple[int, int, str]], caption: str, duration_ms: int) -> tuple[str | None, float | None]:
    for start, _, text in reversed(spoken):
        for kind, pattern in _CTA:
            if pattern.search(text):
                return kind, round(start / duration_ms, 3)
    for kind, pattern in _CTA:
        if pattern.search(caption):
            return kind, 0.85
    return None, None


def _beats(spoken: Sequence[tuple[int, int, str]], duration_ms: int, cta_start: float | None) -> tuple[Beat, ...]:
    if len(spoken) < 2:
        thirds = [0, min(_HOOK_MS, duration_ms // 3), duration_ms * 2 // 3, duration_ms]
        return tuple(Beat(kind, thirds[i], thirds[i + 1]) for i, kind in enumerate(("hook", "solution", "cta")))
    beats: list[Beat] = []
    for position, (start, _, text) in enumerate(spoken):
        end = spoken[position + 1][0] if position + 1 < len(spoken) else duration_ms
        if position == 0:
            kind = "hook"
        elif cta_start is not None and start >= cta_start * duration_ms - 1:
            kind = "cta"
        else:
            kind = next((beat for beat, pattern in _BEAT_RULES if pattern.search(text)), "solution")
        if beats and beats[-1].kind == kind:
            beats[-1] = Beat(kind, beats[-1].start_ms, end)
        else:
            beats.append(Beat(kind, 0 if position == 0 else start, end))
    return tuple(beats)


def _visual_format(described: str) -> str:
    lowered = described.lower()
    return next((name for name, sign in _FORMATS if sign in lowered), "talking_head")
