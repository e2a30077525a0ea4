"""The voice-over: a sentence or more a beat, in the time that the beat has."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from consumers.generation.gate.fit import spoken_seconds
from consumers.generation.texts import words
from consumers.generation.writing.facts import Fact
from consumers.generation.writing.lexicon import Frame, Scene
from consumers.generation.writing.page import ITEM, Line, Page
from consumers.generation.writing.phrases import NUMBERS, ORDINALS, scene_slots

_CARRIES_FACTS: Final = ("solution", "proof", "offer", "demo")
_FACT_SHARE: Final = 0.25
_SENTENCES_FOR_A_FACT: Final = 3
_MOST_WORDS: Final = 72
_ROOM: Final = 0.97
_MIN_LINE_SECONDS: Final = 1.8
_CALL_SECONDS: Final = 5.0
_SHORT_CALL_SECONDS: Final = 3.4
_ROOMY_SECONDS: Final = 12
_ITEM_SECONDS: Final = 2.95
_BRAND_SECONDS: Final = 3.5
_STATED: Final = {"adj": "adj", "adv": "adv", "part": "part", "clause": "clause", "vp": "vp", "inf": "inf"}


class ScriptWriter:
    """Writes on a page. The hook is said first; the call to action stands where its beat is, else last."""

    def __init__(self, page: Page, hook: str, facts: Sequence[Fact], premise: Mapping[str, str]) -> None:
        self._page = page
        self._facts = list(facts)
        self._premise = premise
        self._lines = [hook]
        self._seconds = spoken_seconds(hook)
        self._call: Line | None = None
        brief = page.brief
        self._room = brief.duration_ms / 1000 * _ROOM
        self._target = max(_MOST_WORDS, round(brief.least_words * 1.15))
        self._facts_left = 0
        self.facts_said: list[Fact] = []
        self.topic_said = not premise

    def write(self) -> str:
        """The whole script."""
        brief = self._page.brief
        self._call = self._choose_call()
        reserved = spoken_seconds(self._call.text) if self._call else 0.0
        expected = (self._room - self._seconds) / 3.6
        if expected >= _SENTENCES_FOR_A_FACT:
            self._facts_left = max(1, int(min(expected, self._target / 10) * _FACT_SHARE / 2))
        if brief.hook_shape == "list":
            self._items(reserved)
        for beat in brief.beats[1:]:
            if beat.kind == "cta":
                self._say_call()
                reserved = 0.0
                continue
            self._fill(beat.kind, beat.end_ms / 1000, reserved)
        self._say_call()
        self._fill_up()
        return " ".join(self._lines)

    def _choose_call(self) -> Line | None:
        page = self._page
        frames = page.lexicon.calls[page.voice.can.cta_kind or "none"]
        room = self._room - self._seconds
        limit = min(room, _CALL_SECONDS) if room > _ROOMY_SECONDS else min(room, _SHORT_CALL_SECONDS)
        lead = page.scenes[:1]
        # A phrase of the scene said again is better than a call that another job has as well.
        for most in (limit, room):
            lines = page.lines(frames, "call", scenes=lead, slacks=(0, 1))
            call = page.best(line for line in lines if spoken_seconds(line.text) <= most)
            if call is not None:
                break
        if call is not None:
            page.reserve(call)
        return call

    def _say_call(self) -> None:
        if self._call is not None:
            self._add(self._page.say(self._call, "call", reserved=True))
            self._call = None

    def _fill(self, kind: str, until_seconds: float, reserved: float) -> None:
        """Sentences for a beat while it has time; one at least if the video has time."""
        first = True
        while first or until_seconds - self._seconds > _MIN_LINE_SECONDS:
            room = self._room - self._seconds - reserved
            if room < _MIN_LINE_SECONDS or (not first and self._words() >= self._target):
                return
            limit = room if first else min(room, until_seconds - self._seconds + 1.0)
            line = self._line(kind, limit)
            if line is None:
                return
            self._add(line)
            first = False

    def _fill_up(self) -> None:
        """A stub beside the source gets longer, as far as the time allows."""
        brief = self._page.brief
        kinds = [beat.kind for beat in brief.beats[1:] if beat.kind != "cta"] or ["solution"]
        position, misses = 0, 0
        call_last = brief.beats[-1].kind == "cta" and len(self._lines) > 1
        while self._words() < brief.least_words and misses <= len(kinds):
            line = self._line(kinds[position % len(kinds)], self._room - self._seconds)
            position += 1
            if line is None:
                misses += 1
                continue
            self._add(line)
            if call_last:
                self._lines[-2], self._lines[-1] = self._lines[-1], self._lines[-2]

    def _line(self, kind: str, limit: float) -> str | None:
        page = self._page
        if self._premise:
            lines = topic_lines(page, self._premise)
            self._premise = {}
            line = page.best(one for one in lines if spoken_seconds(one.text) <= limit)
            if line is not None:
                self.topic_said = True
                return page.say(line, "topic")
        if kind in _CARRIES_FACTS and self._facts_left > 0 and self._facts:
            stated = self._fact(limit)
            if stated is not None:
                return stated
        frames = page.lexicon.beats.get(kind, page.lexicon.beats["solution"])
        line = page.best(one for one in page.lines(frames, kind) if spoken_seconds(one.text) <= limit)
        return None if line is None else page.say(line, kind)

    def _fact(self, limit: float) -> str | None:
        page = self._page
        for fact in self._facts:
            line = page.best(one for one in fact_lines(page, fact) if spoken_seconds(one.text) <= limit)
            if line is not None:
                self._facts.remove(fact)
                self._facts_left -= 1
                self.facts_said.append(fact)
                return page.say(line, f"fact_{fact.kind}")
        return None

    def _items(self, reserved: float) -> None:
        """As many items as the hook promised, each a moment of its own."""
        page = self._page
        language = page.lexicon.language
        left = page.brief.list_items
        spare = self._room - self._seconds - reserved - left * _ITEM_SECONDS
        brand_line = min(_BRAND_SECONDS, max(0.0, spare))
        scenes = iter(page.item_scenes)
        number = 0
        while number < left:
            scene = next(scenes, None)
            if scene is None:
                return
            room = (self._room - self._seconds - reserved - brand_line) / (left - number)
            line = self._item(scene, number + 1, room, language)
            if line is not None:
                number += 1
                self._add(page.say(line, ITEM))

    def _item(self, scene: Scene, number: int, room: float, language: str) -> Line | None:
        page = self._page
        extra = {"Nth": ORDINALS[language][number]}
        frames: Sequence[Frame] = (*page.lexicon.beats["item"], *page.lexicon.beats["item_short"])
        lines = [
            line
            for line in page.lines(frames, "item", extra=extra, scenes=[scene])
            if spoken_seconds(line.text) <= room
        ]
        return page.best(iter(lines))

    def _add(self, text: str) -> None:
        self._lines.append(text)
        self._seconds += spoken_seconds(text) + 0.049

    def _words(self) -> int:
        return sum(len(words(line)) for line in self._lines)


def fact_lines(page: Page, fact: Fact) -> Iterator[Line]:
    """The ways to state a fact. `It` stands only after the brand has been named."""
    groups = page.lexicon.facts
    if fact.kind == "np":
        frames = [*groups["np"], *(groups["gain"] if fact.gain else ())]
    else:
        frames = list(groups[_STATED[fact.kind]])
    extra = fact.slots
    if fact.infinitive is not None and page.lexicon.language == "en":
        extra["fact_inf"] = fact.infinitive
        frames.extend(groups["inf"] if fact.kind != "inf" else ())
    if not page.named:
        frames = [frame for frame in frames if "brand" in frame.slots] or frames
    return page.lines(frames, f"fact_{fact.kind}", extra=extra, slacks=(0, 1))


def topic_lines(page: Page, premise: Mapping[str, str]) -> Iterator[Line]:
    """Sentences that speak of the source's premise: by a noun (topic), or in words of our own (theme)."""
    for kind, phrase in premise.items():
        frames = page.lexicon.beats[kind]
        yield from page.lines(frames, "topic", extra={kind: phrase}, slacks=(0, 1), scenes=page.scenes[:1])


def item_number(page: Page) -> str:
    """The number that a list hook promises, in words."""
    return NUMBERS[page.lexicon.language][page.brief.list_items]


def scene_text(scene: Scene, language: str) -> frozenset[str]:
    """The words of a scene."""
    return frozenset(word for text in scene_slots(scene, language).values() for word in words(text))
