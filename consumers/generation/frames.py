"""The sentences of the embedded generator, with slots for a brand's own facts and for the scene of an angle.

A slot takes what its name says: `pain` and `scene` are noun phrases in the singular, `when` an adverbial, `benefit` and
`proof` stand behind a colon or alone, since they may be clauses or phrases; their `_s` forms begin a sentence. No frame
claims a figure, a result or a crowd: those are the brand's to give.
"""

from collections.abc import Mapping, Sequence
from typing import Final

ANGLES: Final[Mapping[str, Mapping[str, str]]] = {
    "saving": {
        "pain": "paying twice",
        "scene": "the end of the month",
        "when": "at the end of the month",
    },
    "time": {"pain": "a morning that runs away", "scene": "a busy Tuesday", "when": "on a busy Tuesday"},
    "quality": {"pain": "buying the same thing again", "scene": "a rainy Thursday", "when": "on a rainy Thursday"},
    "ease": {"pain": "one more complicated step", "scene": "a tired evening", "when": "on a tired evening"},
    "health": {
        "pain": "running on empty",
        "scene": "the morning walk",
        "when": "on the morning walk",
    },
    "transformation": {
        "pain": "starting over again",
        "scene": "a fresh Monday",
        "when": "on a fresh Monday",
    },
    "status": {
        "pain": "blending into the background",
        "scene": "a dinner with friends",
        "when": "at a dinner with friends",
    },
    "safety": {"pain": "that small nagging worry", "scene": "the drive home", "when": "on the drive home"},
}

HOOKS: Final[Mapping[str, Sequence[str]]] = {
    "question": (
        "What if {scene} came without {pain}?",
        "Is {pain} really part of {scene}?",
        "What would {scene} be without {pain}?",
    ),
    "directive": (
        "Stop putting up with {pain} {when}.",
        "Try leaving {pain} out of {scene}.",
        "Watch this before {scene} turns into {pain}.",
    ),
    "contrarian": (
        "Unpopular opinion: {scene} does not need {pain}.",
        "Hot take: {pain} is a choice {when}.",
        "You don't need {pain} {when}.",
    ),
    "bold_claim": (
        "{scene_s} can go without {pain}.",
        "{pain_s} has no place {when}.",
        "{scene_s} is where {pain} ends.",
    ),
    "story": (
        "I used to expect {pain} {when}.",
        "I was so done with {pain} {when}.",
        "Last week {scene} came with {pain}.",
    ),
    "pov": (
        "POV: {scene}, minus {pain}.",
        "POV: {scene}, and you are done with {pain}.",
        "POV: {scene} begins and {pain} does not.",
    ),
    "relatable": (
        "When you know that {scene} means {pain}.",
        "That feeling when {scene} turns into {pain}.",
        "Me when {scene} brings {pain} along.",
    ),
    "callout": (
        "If you have {pain} {when}, stay here.",
        "For anyone who knows {pain} {when}.",
        "Calling anyone who is over {pain} {when}.",
    ),
    "reveal": (
        "The truth about {scene}: {pain} is optional.",
        "Nobody talks about {pain} {when}.",
        "What they don't say about {scene} and {pain}.",
    ),
    "tutorial": (
        "How to get through {scene} without {pain}.",
        "Here's how {scene} goes without {pain}.",
        "How to keep {pain} out of {scene}.",
    ),
}

BEATS: Final[Mapping[str, Sequence[str]]] = {
    "context": ("This is {brand}, made for {audience}.", "Meet {brand}, for {audience}."),
    "problem": ("{pain_s} wears anyone down.", "Nobody plans for {pain}, it just happens."),
    "agitate": ("And it comes back, usually {when}.", "It never picks a good moment either."),
    "solution": (
        "{brand} keeps it simple: {benefit}.",
        "So here is the simple part: {benefit}.",
        "What you get with {brand}: {benefit}.",
    ),
    "demo": ("Open it, use it, get on with your day.", "See how little it asks of you."),
    "proof": ("What stands behind it: {proof}.", "No big words, just this: {proof}."),
    "objection": ("Not sure yet? Fair, start small and see.", "Too good? Look closer and decide for yourself."),
    "turn": ("Then {brand} came along.", "That is where {brand} comes in."),
    "offer": ("Come and see what {brand} can do for you.",),
}

CAPTIONS: Final = (
    "{benefit_s}. That is {brand}, for {audience}.",
    "{brand}, made for {audience}. {benefit_s}.",
    "{brand} and {scene} go well together. {benefit_s}.",
)
PLAIN_CAPTIONS: Final = (
    "{brand}, made for {audience}.",
    "{brand} and {scene} go well together.",
    "For {audience}: {brand} {when}.",
)
"""Where the brand gives no benefit that may be used."""

SHOTS: Final[Mapping[str, Sequence[str]]] = {
    "hook": (
        "Close on a face {when}, the hook as on-screen text.",
        "The same face looks up, the hook still on screen.",
    ),
    "context": ("The {product} on a table in daylight.", "Hands enter the frame and reach for the {product}."),
    "problem": ("A small everyday mishap {when}, without words.", "The mishap from closer, a hand stops mid-way."),
    "agitate": ("The same mishap from another angle, a sigh.", "A clock on the wall, then back to the mishap."),
    "solution": ("The {product} comes into use, slow push-in.", "The {product} from the side, hands at work."),
    "demo": ("Hands use the {product}, seen from above.", "The {product} in use, close enough to see the detail."),
    "proof": ("A calm wide shot with one line of text beside it.", "The {product} at rest, the line of text stays."),
    "objection": ("The speaker shrugs, then smiles at the camera.", "The speaker turns the {product} in one hand."),
    "turn": (
        "A quick cut, the light changes, the {product} appears.",
        "The {product} moves into the middle of the frame.",
    ),
    "offer": ("The {product} beside the brand's name.", "The brand's name fills the frame."),
    "cta": ("The brand's name and the call to action on a clean background.", "The call to action, held to the end."),
}
