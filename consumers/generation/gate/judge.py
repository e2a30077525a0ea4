"""The whole gate: every bar that one variation can miss, alone or beside its siblings. Pure."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rapidfuzz import fuzz

from consumers.generation.analysis.blueprint import Blueprint
from consumers.generation.analysis.calls import call_kind
from consumers.generation.analysis.hooks import hook_shape, list_items
from consumers.generation.analysis.premise import theme_phrase, theme_words
from consumers.generation.gate.banned import banned_of, banned_pattern
from consumers.generation.gate.claims import claims
from consumers.generation.gate.coverage import coverage, stated
from consumers.generation.gate.finding import Finding
from consumers.generation.gate.fit import shots_fit, speech_fits
from consumers.generation.gate.form import form, hook_form
from consumers.generation.gate.own import own_texts, pieces, strings
from consumers.generation.gate.quoting import quoting
from consumers.generation.gate.sets import Member, between, member
from consumers.generation.gate.source import SourceText, figures
from consumers.generation.gate.spread import spread
from consumers.generation.gate.structure import fork_keeps, reimagining_leaves
from consumers.generation.planning.brief import VariationBrief
from consumers.generation.realise import Texts
from consumers.generation.texts import sentences, words

_HOOK_SLACK: Final = 2
_HOOK_SHARE: Final = 0.25
_COPY: Final = 90
_ORDINAL: Final = re.compile(
    r"(?:^|[.!?] )(?:one|two|three|four|five|six|seven|first|second|third|fourth|fifth|uno|dos|tres|cuatro|"
    r"cinco|seis|siete|\w+tens)[,:]",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Case:
    """What a variation is judged by.

    `overridden` names the fields that the request replaces: they are not judged. `planned` are the briefs of the set up
    to this one, `facts` those that may be stated, `variations` how many the set has. `alone` says that siblings may be
    written where nobody sees them.
    """

    brief: VariationBrief
    blueprint: Blueprint
    source: SourceText
    brand: Mapping[str, Any]
    language: str
    overridden: Collection[str] = ()
    planned: Sequence[VariationBrief] = ()
    facts: Sequence[str] = ()
    variations: int = 1
    alone: bool = False


def judge(texts: Texts, case: Case, siblings: Sequence[Member] = ()) -> list[Finding]:
    """All findings against a variation; none means accepted."""
    fields = {
        name: text
        for name, text in (
            ("hook", texts.hook),
            ("caption", texts.caption),
            ("cta", texts.cta),
            ("voiceOverScript", texts.script),
        )
        if name not in case.overridden
    }
    empty = [Finding("empty", name, "nothing is said") for name, text in fields.items() if not text.strip()]
    if empty:
        return empty
    return [
        *_each(fields, case),
        *_together(fields, case),
        *_structure(texts, case),
        *spread(case.planned, case.blueprint),
        *_coverage(texts, case, siblings),
        *between(as_member(texts, case), siblings),
    ]


def as_member(texts: Texts, case: Case) -> Member:
    """The variation as its siblings see it: what is overridden is nobody's copy."""
    caption = "" if "caption" in case.overridden else texts.caption
    script = "" if "voiceOverScript" in case.overridden else texts.script
    return member(texts.hook, caption, script, own_texts(case.brand), case.facts)


def _coverage(texts: Texts, case: Case, siblings: Sequence[Member]) -> Iterator[Finding]:
    """A text that the request replaces may have been where the fact stood."""
    if {"caption", "voiceOverScript"} & set(case.overridden):
        return
    before = {fact for sibling in siblings for fact in sibling.facts}
    said = stated(f"{texts.caption} {texts.script}", case.facts)
    yield from coverage(said, before, case.facts, case.brief, variations=case.variations, alone=case.alone)


def _each(fields: Mapping[str, str], case: Case) -> Iterator[Finding]:
    own = own_texts(case.brand)
    given = " ".join(strings(case.brand))
    banned = banned_pattern(banned_of(case.brand.get("bannedWords")))
    for name, text in fields.items():
        yield from form(name, text, own, case.language)
        yield from quoting(name, text, case.source, own, figures(given))
        yield from claims(name, text, given)
        if banned is not None and any(banned.search(piece) for piece in pieces(text, own)):
            yield Finding("banned_words", name, "has a word that the brand bans")


def _together(fields: Mapping[str, str], case: Case) -> Iterator[Finding]:
    hook, caption, script = (fields.get(name, "") for name in ("hook", "caption", "voiceOverScript"))
    brand = case.brand
    names = [text.lower() for key in ("name", "product") if isinstance(text := brand.get(key), str) and text.strip()]
    if (
        names
        and {"caption", "voiceOverScript"} <= fields.keys()
        and not any(name in " ".join(fields.values()).lower() for name in names)
    ):
        yield Finding("brand_unnamed", "caption", "neither brand nor product is named")
    if hook:
        yield from hook_form(hook)
        if case.language == "en" and hook_shape(hook) != case.brief.hook_shape:
            yield Finding("hook_shape", "hook", f"does not read as {case.brief.hook_shape}")
    if caption and hook and fuzz.ratio(caption.lower(), hook.lower()) > _COPY:
        yield Finding("copies", "caption", "repeats the hook")
    if caption and script and set(map(_bare, sentences(caption))) & set(map(_bare, sentences(script))) - {""}:
        yield Finding("copies", "caption", "repeats a sentence of the script")
    if hook and script and case.brief.hook_shape == "list" and len(_ORDINAL.findall(script)) != list_items([hook]):
        yield Finding("promise", "voiceOverScript", "the hook promises another number of things")
    if script:
        yield from speech_fits(
            script, duration_ms=case.brief.duration_ms, source_spoken_words=case.blueprint.spoken_words
        )
    yield from _asks(fields, brand)


def _asks(fields: Mapping[str, str], brand: Mapping[str, Any]) -> Iterator[Finding]:
    cta = brand.get("cta")
    if "cta" not in fields or not isinstance(cta, Mapping) or fields["cta"] == " ".join(str(cta.get("text")).split()):
        return
    keyword = cta.get("keyword")
    if cta.get("kind") == "comment_keyword" and isinstance(keyword, str) and keyword.strip() not in fields["cta"]:
        yield Finding("asks", "cta", "does not name the word to comment")
    wanted = cta.get("kind")
    told = call_kind(fields["cta"])
    if (
        isinstance(wanted, str)
        and told is not None
        and told != wanted
        and not (wanted == "comment_keyword" and not keyword)
    ):
        yield Finding("asks", "cta", f"asks for {told}, not for {wanted}")


def _structure(texts: Texts, case: Case) -> Iterator[Finding]:
    brief, blueprint = case.brief, case.blueprint
    yield from shots_fit(brief.shots, texts.shot_descriptions, duration_ms=brief.duration_ms, slideshow=brief.slideshow)
    if brief.mode != "reimagine":
        yield from fork_keeps(brief, blueprint)
        wanted = min(max(blueprint.hook_words, 3), 14)
        off = abs(len(words(texts.hook)) - wanted)
        if blueprint.hook_words and off > max(_HOOK_SLACK, _HOOK_SHARE * wanted):
            yield Finding("fork", "hook", "a hook of another length")
        return
    yield from reimagining_leaves(brief, blueprint)
    if not premise_kept(" ".join((texts.hook, texts.caption, texts.script)), blueprint, case.language):
        yield Finding("premise", "voiceOverScript", "says nothing of what the source is about")


def premise_kept(text: str, blueprint: Blueprint, language: str) -> bool:
    """Whether a text speaks of the source's premise; a source that is about nothing known asks for nothing."""
    row = set(words(text))
    if not blueprint.premise or row & set(blueprint.premise):
        return True
    known = {theme: phrase for theme in blueprint.themes if (phrase := theme_phrase(theme, language))}
    return not known or any(
        row & theme_words(theme, language) or phrase.lower().split()[-1] in row for theme, phrase in known.items()
    )


def _bare(sentence: str) -> str:
    row = words(sentence)
    return " ".join(row) if len(row) > 2 else ""
