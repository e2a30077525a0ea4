"""A source post becomes a Blueprint. Pure; never raises on text, whatever its language or its state."""

from collections.abc import Mapping
from typing import Any

from consumers.generation.analysis.beats import HOOK_MS, beats
from consumers.generation.analysis.blueprint import Blueprint
from consumers.generation.analysis.calls import call_to_action
from consumers.generation.analysis.hooks import hook_shape, list_items
from consumers.generation.analysis.looks import visual_format
from consumers.generation.analysis.premise import premise
from consumers.generation.analysis.timing import CARD_MS, Said, described, duration_ms, said, shots
from consumers.generation.gate.source import names_in
from consumers.generation.texts import plain, sentences, without_noise, words

_FEWEST_CARDS, _MOST_CARDS = 4, 10


def analyse(source: Mapping[str, Any]) -> Blueprint:
    """The blueprint of a source post; caption, transcript, shots and duration may each be missing."""
    raw_caption = plain(str(source.get("caption") or ""))
    caption = without_noise(raw_caption)
    slideshow = source.get("format") == "slideshow"
    lines = [line for line in caption.splitlines() if line.strip()]
    cards = min(_MOST_CARDS, max(_FEWEST_CARDS, len(lines))) if slideshow else None
    segments = [Said(part.start_ms, part.end_ms, without_noise(part.text)) for part in said(source.get("transcript"))]
    length_ms = (
        cards * CARD_MS
        if cards and not segments and not source.get("durationMs")
        else duration_ms(source.get("durationMs"), segments, caption)
    )
    segments = [part for part in segments if part.start_ms < length_ms and part.text.strip()]
    hook = _hook(segments, caption)
    shape = hook_shape(hook, *sentences(caption)[:1])
    cta_kind, cta_start = call_to_action(segments, caption, length_ms)
    story = beats(segments, length_ms, cta_start, shape)
    text = "\n".join([caption, *(part.text for part in segments)])
    about = premise(text, names=names_in(text))
    return Blueprint(
        hook_shape=shape,
        hook_words=len(words(hook)),
        beats=story,
        duration_ms=length_ms,
        shots=shots(source.get("shots"), length_ms, cards=cards),
        visual_format=visual_format(
            described(source.get("shots")),
            slideshow=slideshow,
            hook_shape=shape,
            beat_kinds=tuple(beat.kind for beat in story),
        ),
        cta_kind=cta_kind,
        cta_start=cta_start,
        premise=about.keywords,
        themes=about.themes,
        spoken_words=sum(len(words(part.text)) for part in segments),
        list_items=list_items([hook, caption]) if shape == "list" else 0,
    )


def _hook(segments: list[Said], caption: str) -> str:
    opening = " ".join(part.text for part in segments if part.start_ms < HOOK_MS)
    return (sentences(opening) or sentences(caption) or [""])[0]
