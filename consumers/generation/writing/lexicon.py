"""A language's scenes and frames, read once from the files in its folder.

A slot of a frame names what it takes, so a frame never meets a phrase that does not fit its grammar. `scenes.txt` is a
table: about (a topic, or any), angle, then the slots of a scene, then what is seen in it.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

LANGUAGES: Final = ("en", "es", "de")
ANYTHING: Final = "any"


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A concrete moment, with the phrases that tell it. Everything in it belongs together.

    `marks` has a number for each phrase: the scene's own, or that of the first scene that has the same phrase.
    """

    number: int
    about: str
    angle: str
    slots: Mapping[str, str]
    shots: tuple[str, ...]
    marks: Mapping[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A sentence with slots. `playful` frames are not for brands that speak calmly."""

    text: str
    slots: frozenset[str]
    playful: bool


@dataclass(frozen=True, slots=True)
class Lexicon:
    """All that is written in one language."""

    language: str
    scenes: tuple[Scene, ...]
    hooks: Mapping[str, tuple[Frame, ...]]
    beats: Mapping[str, tuple[Frame, ...]]
    facts: Mapping[str, tuple[Frame, ...]]
    calls: Mapping[str, tuple[Frame, ...]]
    call_texts: Mapping[str, tuple[Frame, ...]]
    captions: Mapping[str, tuple[Frame, ...]]
    shots: Mapping[str, tuple[Frame, ...]]
    framings: tuple[Frame, ...]
    unseen: frozenset[str]
    topics: Mapping[str, frozenset[str]]

    def frames(self) -> int:
        """How many frames there are over hook, body and call to action."""
        groups = (self.hooks, self.beats, self.facts, self.calls, self.call_texts, self.captions)
        return sum(len(frames) for group in groups for frames in group.values())


@cache
def lexicon(language: str) -> Lexicon:
    """The lexicon of one of LANGUAGES."""
    beats = _toml(language, "beats")
    calls = _toml(language, "calls")
    shots = _toml(language, "shots")
    return Lexicon(
        language=language,
        scenes=_scenes(language),
        hooks=_frames(_toml(language, "hooks")),
        beats=_frames({name: rows for name, rows in beats.items() if name != "facts"}),
        facts=_frames(beats["facts"]),
        calls=_frames(
            {
                name: [*calls[name], *(_asked(act, why) for act in acts for why in calls["why"]["any"])]
                for name, acts in calls["act"].items()
            }
        ),
        call_texts=_frames(calls["text"]),
        captions=_frames(_toml(language, "captions")),
        shots=_frames(shots["beats"]),
        framings=_frames({"framing": shots["framing"]})["framing"],
        unseen=frozenset(shots["unseen"]),
        topics={name: frozenset(str(row).split()) for name, row in _toml(language, "topics").items()},
    )


def _frames(groups: Mapping[str, Sequence[str]]) -> dict[str, tuple[Frame, ...]]:
    return {name: tuple(map(_frame, dict.fromkeys(rows))) for name, rows in groups.items()}


def _asked(act: str, why: str) -> str:
    """A way to ask with a reason to; playful where the reason is."""
    return f"~{act}{why[1:]}." if why.startswith("~") else f"{act}{why}."


def _frame(row: str) -> Frame:
    text = row.removeprefix("~")
    slots = frozenset(part.split("}")[0] for part in text.split("{")[1:])
    return Frame(text, slots, playful=row.startswith("~"))


def _scenes(language: str) -> tuple[Scene, ...]:
    header, *rows = _text(language, "scenes.txt").strip().splitlines()
    names = header.split("|")
    found = []
    first: dict[tuple[str, str], int] = {}
    for number, row in enumerate(rows):
        cells = dict(zip(names, row.split("|"), strict=True))
        shots = tuple(cells.pop("shots").split(";"))
        about, angle = cells.pop("about"), cells.pop("angle")
        marks = {name: first.setdefault((name, phrase), number) for name, phrase in cells.items()}
        found.append(Scene(number, about, angle, cells, shots, marks))
    return tuple(found)


def _toml(language: str, name: str) -> dict[str, Any]:
    return tomllib.loads(_text(language, f"{name}.toml"))


def _text(language: str, name: str) -> str:
    return files(__package__).joinpath(f"{language}/{name}").read_text(encoding="utf-8")
