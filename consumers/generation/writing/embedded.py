"""The realiser `embedded`: whole sentences from scenes, frames and the brand's own facts.

Offline, and a pure function of its assignment. It writes English, Spanish and German; a layer in another language gets
the variation's error LANGUAGE_UNSUPPORTED, never English in disguise.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from consumers.generation.analysis.premise import is_noun_of, theme_nouns, theme_phrase
from consumers.generation.gate.coverage import LEAST_FACTS, OVER
from consumers.generation.gate.coverage import stated as facts_stated
from consumers.generation.gate.own import strings
from consumers.generation.gate.sets import masked
from consumers.generation.generators import GenerationFailed
from consumers.generation.planning.brief import VariationBrief
from consumers.generation.planning.walk import turn
from consumers.generation.realise import MOST_TRIES, Assignment, Texts
from consumers.generation.texts import sentences, words
from consumers.generation.writing.caption import choose_caption
from consumers.generation.writing.choosing import item_scenes, leads_for, scenes_for
from consumers.generation.writing.facts import Fact
from consumers.generation.writing.hook import choose_hook
from consumers.generation.writing.lexicon import LANGUAGES, Scene, lexicon
from consumers.generation.writing.page import Page
from consumers.generation.writing.script import ScriptWriter, scene_text
from consumers.generation.writing.storyboard import describe_shots
from consumers.generation.writing.voice import Voice, voice
from schemas.errors import ErrorCode

_COMMON_NOUNS: Final = (
    "sale discount giveaway offer prize descuento rebajas oferta rabatt gutschein prozent "
    "time minute minutes hour hours week weeks day days wait stuff people group step list key keys video word "
    "words sunday monday tuesday wednesday thursday friday saturday home run walk walks learning call calls hora "
    "horas semana semanas día días gente grupo lista domingo lunes martes viernes sábado zeit stunde tag woche "
    "leute gruppe liste sonntag montag dienstag freitag samstag"
)

_DRAWS_ON_FACTS: Final = frozenset({"statistic", "social_proof", "offer"})
_RELATED: Final = 6
_TOPICS: Final = 3
# So many variations of a set explain the figure in their hook; after that the set would only repeat it.
_TELL_ALWAYS: Final = 3
_TELLS_ITS_FACT: Final = frozenset({"statistic", "offer"})
# Known nouns that no story is about.
_TOO_COMMON: Final = frozenset(_COMMON_NOUNS.split())


class EmbeddedRealiser:
    """Writes by grammar."""

    name = "embedded/4"
    repeatable = True
    tries = MOST_TRIES

    def realise(self, assignment: Assignment) -> Texts:
        """The texts. Raises GenerationFailed LANGUAGE_UNSUPPORTED, or QUALITY_GATE where no hook fits the brief."""
        language = assignment.language.replace("_", "-").split("-")[0].lower()
        if language not in LANGUAGES:
            raise GenerationFailed(
                ErrorCode.LANGUAGE_UNSUPPORTED,
                f"The embedded generator writes {', '.join(LANGUAGES)}, not {assignment.language}.",
            )
        brief, words_of = assignment.brief, lexicon(language)
        speaker = voice(assignment.brand, words_of)
        siblings = assignment.siblings
        taken = {text.made["scene"] for text in siblings}
        met = {number for text in siblings for number in text.notes["met"]}
        page = Page(
            brief=brief,
            voice=speaker,
            lexicon=words_of,
            leads=leads_for(brief, speaker, words_of, taken),
            scenes=scenes_for(brief, speaker, words_of, met),
            item_scenes=item_scenes(brief, speaker, words_of, met),
            attempt=assignment.attempt,
            given=" ".join(strings(assignment.brand)),
            worn={frame for text in siblings for frame in text.notes["frames"]},
            without=_once(siblings),
        )
        for text in siblings:
            for sentence in (*sentences(text.script), *sentences(text.caption)):
                page.note(sentence)
            page.taken.add(masked(text.hook, speaker.own))
        return _write(page, Counter(fact for text in siblings for fact in text.made["facts"]))


def _once(siblings: Sequence[Texts]) -> frozenset[str]:
    """Slots that a set fills once: whom the brand is for is said, not recited."""
    said = any("audience" in frame.slots for text in siblings for frame in text.notes["frames"])
    return frozenset({"audience"}) if said else frozenset()


def _write(page: Page, stated: Counter[str]) -> Texts:
    brief = page.brief
    hook = choose_hook(page)
    if hook is None:
        raise GenerationFailed(ErrorCode.QUALITY_GATE, "No hook of this shape fits the video's length.")
    said_hook = page.say(hook, f"hook/{brief.hook_shape}")
    given = [fact.bare for fact in page.voice.facts]
    owed = brief.owed_fact(given)
    # The set must have stated three when its fifth is written.
    short = len(stated) + max(0, OVER - 1 - brief.index) < min(LEAST_FACTS, len(given))
    owes = owed is not None or short
    facts = _facts_in_turn(page.voice, brief, stated, owed, short=short)
    # By turns the script states a fact and the caption does: both would make a set repeat itself.
    if page.attempt > 1 and brief.hook_shape not in _TELLS_ITS_FACT and stated and not owes:
        facts = []
    in_script = facts if brief.walk % 3 or brief.hook_shape in _DRAWS_ON_FACTS else []
    premise = _premise(page)
    writer = ScriptWriter(page, said_hook, in_script, premise)
    script = writer.write()
    left = [] if writer.facts_said else facts if owes else facts[:1]
    caption = choose_caption(page, left, {} if writer.topic_said else premise, owes=owes)
    return Texts(
        hook=said_hook,
        caption=caption or f"{page.voice.name}.",
        cta=_call_text(page),
        script=script,
        shot_descriptions=describe_shots(page),
        made={
            "scene": page.scenes[0].number,
            "facts": sorted(facts_stated(f"{script} {caption}", given)),
        },
        notes={"met": frozenset(page.met), "frames": frozenset(page.frames)},
    )


def _facts_in_turn(
    speaker: Voice, brief: VariationBrief, stated: Counter[str], owed: str | None, *, short: bool
) -> list[Fact]:
    """The facts: what the hook draws on, those that siblings stated least, the one that is owed, those of the angle.

    A variation that owes none repeats none of its siblings': a set in which every variation says the same is no set.
    """
    facts = list(speaker.facts)
    wanted = {"statistic": speaker.can.figures, "social_proof": speaker.can.crowds, "offer": speaker.can.offers}
    drawn = wanted.get(brief.hook_shape, ())
    first = drawn[brief.walk % len(drawn)].lower() if drawn else None
    tells = brief.hook_shape in _TELLS_ITS_FACT and brief.index < _TELL_ALWAYS
    if not tells and owed is None and not short:
        facts = [fact for fact in facts if not stated[fact.bare]]
    if not facts:
        return []
    start = brief.walk % len(facts)
    return sorted(
        facts[start:] + facts[:start],
        key=lambda fact: (
            short and stated[fact.bare] > 0,
            first is None or not first.startswith(fact.bare.lower()) or (stated[fact.bare] > 0 and not tells),
            stated[fact.bare],
            fact.bare != owed,
            fact.angle != brief.angle,
        ),
    )


def _premise(page: Page) -> dict[str, str]:
    """What a reimagining must still speak of, where its scene does not anyway: a noun of the source, or a theme."""
    brief, language = page.brief, page.lexicon.language
    scene: Scene = page.scenes[0]
    if brief.mode != "reimagine" or set(brief.premise) & scene_text(scene, language):
        return {}
    banned = page.voice.banned
    own = set(words(" ".join(page.voice.own)))
    topics = [
        word
        for word in brief.premise
        if is_noun_of(word, language)
        and word not in own
        and word not in _TOO_COMMON
        and (banned is None or not banned.search(word))
    ]
    # A source may have one noun only, or none in this language: others of its themes take turns with it.
    related = [
        word
        for theme in brief.themes
        for word in theme_nouns(theme, language)[:_RELATED]
        if word not in _TOO_COMMON and word not in topics and (banned is None or not banned.search(word))
    ]
    if topics or language == "en":
        topics += related[: max(0, _TOPICS - len(topics))]
    if topics:
        topic = topics[brief.index % len(topics)]
        return {"topic": topic.capitalize() if language == "de" else topic}
    theme = next((phrase for theme in brief.themes if (phrase := theme_phrase(theme, language))), None)
    return {} if theme is None else {"theme": theme}


def _call_text(page: Page) -> str:
    """The brand's own words where it gives them in the layer's language."""
    speaker = page.voice
    if speaker.cta_text is not None:
        return speaker.cta_text
    frames = page.lexicon.call_texts[speaker.can.cta_kind or "none"]
    line = next(page.lines([turn(frames, page.brief.walk, speaker.name)], "call_text"), None)
    return speaker.name if line is None else line.text
