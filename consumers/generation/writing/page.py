"""The page that one variation is written on: what is said so far, what its scenes have left, what siblings used."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from consumers.generation.gate.claims import claims
from consumers.generation.gate.form import form
from consumers.generation.gate.own import pieces
from consumers.generation.gate.sets import masked
from consumers.generation.planning.brief import VariationBrief
from consumers.generation.planning.walk import permutation
from consumers.generation.texts import words
from consumers.generation.writing.lexicon import Frame, Lexicon, Scene
from consumers.generation.writing.phrases import BASE_OF, fill, scene_slots
from consumers.generation.writing.shares import SHARES, places, share
from consumers.generation.writing.voice import Voice

# How often a phrase of a scene may stand in one variation: a noun ties it together, a clause said twice is a refrain.
_TIMES: Final = {"obj": 2}
_KIN: Final = {
    **BASE_OF,
    "npa": "np",
    "obja": "obj",
    "sub": "you",
    "zu": "inf",
    "wzu": "winf",
}
# The items of a list are alike by intention.
ITEM: Final = "item"
_LOOK_AT: Final = 16
_FRESH: Final = 0.0
# In so many scenes a line of the job's own is looked for before one that is another job's.
_NEAR: Final = 6
# What is another job's counts as so much staler.
_BORROWED: Final = 0.15
# A name said in every sentence is an advertisement; one of two words is heard sooner.
_MENTIONS: Final = {False: 3, True: 2}


@dataclass(frozen=True, slots=True)
class Line:
    """A filled frame, not yet said. `own` lines are this job's, see `shares`; another job may say the others, too."""

    text: str
    frame: Frame
    scene: Scene
    own: bool


@dataclass(slots=True)
class Page:
    """Mutable while one variation is written. `leads` are the scenes that it may be about, in their turn; the hook
    decides which of them leads, and stands before the others in `scenes` then. `given` is all text of the brand: the
    only figures and claims. `worn` are frames that siblings have used, `without` slots that stay empty. `mentions`
    counts the brand's name, in what is reserved too; `named` says whether it stands on the page already.
    """

    brief: VariationBrief
    voice: Voice
    lexicon: Lexicon
    leads: Sequence[Scene]
    scenes: Sequence[Scene]
    item_scenes: Sequence[Scene]
    attempt: int
    given: str
    worn: AbstractSet[Frame]
    without: AbstractSet[str]
    pairs: set[tuple[str, str]] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)
    used: Counter[tuple[int, str]] = field(default_factory=Counter)
    turns: Counter[str] = field(default_factory=Counter)
    met: set[int] = field(default_factory=set)
    mentions: int = 0
    named: bool = False
    frames: list[Frame] = field(default_factory=list)

    def lines(
        self,
        frames: Sequence[Frame],
        key: str,
        *,
        extra: Mapping[str, str] | None = None,
        slacks: Sequence[int] = (0,),
        scenes: Sequence[Scene] | None = None,
    ) -> Iterator[Line]:
        """Filled frames in this variation's turn: the job's own of the nearest scenes first, then all others.

        Of both, those come first that spend a phrase less often (`slacks`), then those whose frame no sibling has.
        """
        for near in (True, False):
            for slack in slacks:
                yield from self._lines(frames, key, extra or {}, slack, scenes or self.scenes, near)

    def own_lines(
        self, frames: Sequence[Frame], key: str, *, extra: Mapping[str, str], scenes: Sequence[Scene]
    ) -> Iterator[Line]:
        """Only those that are the job's own."""
        return self._lines(frames, key, extra, 0, scenes, True)

    def _lines(
        self,
        frames: Sequence[Frame],
        key: str,
        extra: Mapping[str, str],
        slack: int,
        scenes: Sequence[Scene],
        near: bool,
    ) -> Iterator[Line]:
        seed = f"{self.voice.name}/{key}"
        place = places(len(frames), seed)
        order = permutation(len(frames), f"{seed}/{self.brief.walk}/{self.turns[key]}/{self.attempt}")
        mine = self.brief.ordinal % SHARES
        for worn in (False, True):
            positions = [position for position in order if (frames[position] in self.worn) is worn]
            for at, scene in enumerate(scenes[:_NEAR] if near else scenes):
                slots: Mapping[str, str] = scene_slots(scene, self.lexicon.language)
                if extra:
                    slots = {**slots, **extra}
                for position in positions:
                    frame = frames[position]
                    own = share(place[position], frame, scene, extra) == mine
                    if (own and at < _NEAR) is not near or not self._left(frame, scene, slack):
                        continue
                    text = fill(frame, slots, opaque=self.voice.slots)
                    if text is not None:
                        yield Line(text, frame, scene, own)

    def best(self, lines: Iterable[Line], *, fresh: float = _FRESH) -> Line | None:
        """The next of the job's own lines that is fresh and passes the proof-reader; else the freshest of those looked
        at.
        """
        found: list[tuple[float, int, Line]] = []
        for number, line in enumerate(lines):
            if self.has(line.text):
                continue
            stale = self.stale(line.text)
            # The next one where possible, so that turns are kept from job to job.
            if line.own and stale <= fresh and self.proofread(line.text):
                return line
            # A second try is for the set's sake: there the fresher line counts more.
            borrowed = 0.0 if line.own or self.attempt > 1 else _BORROWED
            found.append((stale + borrowed, number, line))
            if len(found) == _LOOK_AT * self.attempt:
                break
        found.sort(key=lambda one: one[:2])
        return next((line for _, _, line in found if self.proofread(line.text)), None)

    def led_by(self, lead: Scene) -> None:
        """Make a scene the one that the variation is about."""
        self.scenes = (lead, *(scene for scene in self.scenes if scene is not lead))

    def has(self, text: str) -> bool:
        """Whether the page or a sibling says this already, names aside."""
        return masked(text, self.voice.own) in self.taken

    def stale(self, text: str) -> float:
        """The share of pairs of words that the page or a sibling has said already; a preferred word makes it less."""
        row = words(text)
        pairs = list(pairwise(row))
        share = sum(pair in self.pairs for pair in pairs) / len(pairs) if pairs else 0.0
        return share - 0.05 * len(self.voice.preferred & set(row))

    def proofread(self, text: str, field_name: str = "voiceOverScript") -> bool:
        """Whether a text could stand in print: form, facts, banned words."""
        own = self.voice.own
        if next(form(field_name, text, own, self.lexicon.language), None) is not None:
            return False
        if next(claims(field_name, text, self.given), None) is not None:
            return False
        banned = self.voice.banned
        return banned is None or not any(banned.search(piece) for piece in pieces(text, own))

    def reserve(self, line: Line) -> None:
        """Count what a line uses up, so that nothing else says it."""
        for slot in line.frame.slots:
            self.used[line.scene.number, _KIN.get(slot, slot)] += 1
        self.mentions += "brand" in line.frame.slots

    def say(self, line: Line, key: str, *, reserved: bool = False) -> str:
        """Put a line down."""
        if not reserved:
            self.reserve(line)
        self.met.add(line.scene.number)
        self.named = self.named or "brand" in line.frame.slots
        if key != ITEM:
            self.frames.append(line.frame)
        self.turns[key] += 1
        self.note(line.text)
        return line.text

    def note(self, text: str) -> None:
        """Remember what is said."""
        row = words(text)
        self.pairs.update(pairwise(row))
        self.taken.add(masked(text, self.voice.own))

    def _left(self, frame: Frame, scene: Scene, slack: int) -> bool:
        if frame in self.frames or frame.slots & self.without or (frame.playful and self.voice.playful is False):
            return False
        for slot in frame.slots:
            kin = _KIN.get(slot, slot)
            if kin in scene.slots and self.used[scene.number, kin] >= _TIMES.get(kin, 1) + slack:
                return False
            if slot == "brand" and self.mentions >= _MENTIONS[" " in self.voice.name] + slack:
                return False
            # "The drawer" means nothing before the drawer has been met.
            if kin == "obj" and scene is not self.scenes[0] and scene.number not in self.met:
                return False
        return True
