"""The bars of one job, each with how many of its variations (or whether the set) hold it. Counted from what is seen."""

import math
import re
from collections.abc import Callable, Iterator
from itertools import combinations, pairwise
from typing import Final

from rapidfuzz import fuzz

from bench.generation.tokens import content, grams, said_by, skeleton, split, tokens, without
from bench.generation.trial import Trial
from consumers.generation.analysis.blueprint import position_of
from consumers.generation.analysis.premise import theme_phrase, theme_words
from consumers.generation.generators import Made
from consumers.generation.planning.arcs import similarity

Tally = tuple[int, int]
"""Held, judged."""
_FIELDS: Final = ("hook", "caption", "voiceOverScript")
_CALL_WORDS: Final = re.compile(r"\b(?:link|comment|save|follow|shop|visit|bio)\b", re.IGNORECASE)
_NUMBER_WORDS: Final = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7}
_CLAIM: Final = re.compile(
    r"\b(?:award|best[- ]sell|guarantee|clinically|proven|free|discount|sale|number one|everyone loves|"
    r"thousands|millions|gratis|garantiza|premiad|descuento|kostenlos|garantiert|preisgekrönt|rabatt)\w*|[$€£%]",
    re.IGNORECASE,
)
_WRONG: Final = re.compile(
    r"[{}<>\[\]]|\b(\w+) \1\b|\s[,.;:!?]|[,;:]{2}|[!?]{2}|\ba [aeio]\w|\ban [bcdfgjklmpqrstvwxyz]\w{2}|&\w+;",
    re.IGNORECASE,
)


def bars(trial: Trial) -> Iterator[tuple[str, Tally]]:
    """Every row of the table that this job has a say in."""
    made = trial.made
    yield "produced", (len(made), trial.asked)
    if not made:
        return
    each: dict[str, Callable[[Trial, Made], bool | None]] = {
        "quoting: no shared run": _no_run,
        "quoting: content words": _contained,
        "quoting: no sentence alike": _no_sentence,
        "quoting: nothing of its own": _nothing_own,
        "facts: none invented": _no_claim,
        "fit: spoken within the video": _spoken_fits,
        "fit: no stub": _no_stub,
        "fit: shots": _shots,
        "fit: banned words": _no_banned,
        "reads: form": _form,
        "reads: hook whole": _hook_whole,
        "reads: brand named": _named,
        "reads: promise kept": _promise,
        "reads: fields differ": _fields_differ,
    }
    each |= _FORK if trial.mode == "fork" else _REIMAGINE
    for name, holds in each.items():
        verdicts = [verdict for one in made if (verdict := holds(trial, one)) is not None]
        yield name, (sum(verdicts), len(verdicts))
    for name, verdict in _set_bars(trial):
        if verdict is not None:
            yield name, (int(verdict), 1)


def _runs(row: list[str]) -> set[tuple[str, ...]]:
    four = {run for run in grams(row, 4) if len(content(" ".join(run))) >= 2}
    return four | set(grams(row, 5))


def _parts(trial: Trial, one: Made) -> list[str]:
    return [part for field in _FIELDS for part in without(one.creative[field], trial.own).split("|")]


def _no_run(trial: Trial, one: Made) -> bool:
    theirs = _runs(tokens(said_by(trial.source)))
    return not any(_runs(tokens(part)) & theirs for part in _parts(trial, one) if not _CALL_WORDS.search(part))


def _contained(trial: Trial, one: Made) -> bool:
    theirs = content(said_by(trial.source))
    for field in _FIELDS:
        mine = content(without(one.creative[field], trial.own))
        if len(mine) >= 8 and len(mine & theirs) / len(mine) > (0.35 if len(mine) >= 20 else 0.50):
            return False
    return True


def _no_sentence(trial: Trial, one: Made) -> bool:
    theirs = [" ".join(tokens(sentence)) for sentence in split(said_by(trial.source).replace("\n", " . "))]
    mine = [" ".join(tokens(sentence)) for part in _parts(trial, one) for sentence in split(part)]
    return not any(
        fuzz.token_sort_ratio(a, b) > 70
        for a in mine
        if a.count(" ") and not _CALL_WORDS.search(a)
        for b in theirs
        if b.count(" ")
    )


def _nothing_own(trial: Trial, one: Made) -> bool:
    said = said_by(trial.source)
    given = repr(trial.brand)
    marks = set(re.findall(r"[@#]\w+|https?://\S+", said)) | (
        set(re.findall(r"\d+", said)) - set(re.findall(r"\d+", given))
    )
    text = " ".join(_parts(trial, one))
    return not any(re.search(rf"(?<!\w){re.escape(mark)}(?!\w)", text) for mark in marks)


def _no_claim(trial: Trial, one: Made) -> bool:
    given = repr(trial.brand).lower()
    text = " ".join(one.creative[field] for field in _FIELDS)
    figures = set(re.findall(r"\d+", text)) - set(re.findall(r"\d+", given))
    return not figures and all(match.group().lower() in given for match in _CLAIM.finditer(text))


def _spoken_fits(_: Trial, one: Made) -> bool:
    script = one.creative["voiceOverScript"]
    return (0.049 * len(script) + 0.87 * len(split(script))) * 1000 <= one.duration_ms


def _no_stub(trial: Trial, one: Made) -> bool:
    spoken = sum(len(tokens(part["text"])) for part in trial.source.get("transcript") or ())
    # Nobody can say more than the voice can in the time.
    most = one.duration_ms / 1000 * 2.6
    return len(tokens(one.creative["voiceOverScript"])) >= 0.45 * min(spoken, most)


def _shots(trial: Trial, one: Made) -> bool:
    shots = one.creative["shots"]
    tiled = shots[0]["startMs"] == 0 and shots[-1]["endMs"] == one.duration_ms
    tiled = (
        tiled
        and all(a["endMs"] == b["startMs"] for a, b in pairwise(shots))
        and all(s["startMs"] < s["endMs"] for s in shots)
    )
    return (
        tiled
        and all(len(tokens(s["description"])) > 2 for s in shots)
        and (trial.layer_format != "slideshow" or 4 <= len(shots) <= 10)
    )


def _no_banned(trial: Trial, one: Made) -> bool:
    text = " ".join(without(one.creative[field], trial.own) for field in _FIELDS).lower()
    return not any(re.search(rf"\b{re.escape(word.lower())}", text) for word in trial.brand.get("bannedWords") or ())


def _form(trial: Trial, one: Made) -> bool:
    for field in _FIELDS:
        for part in without(one.creative[field], trial.own).split("|"):
            if any(
                trial.language == "en" or not match.group().lower().startswith("a")
                for match in _WRONG.finditer(part.strip())
            ):
                return False
        for sentence in split(one.creative[field]):
            first = sentence.lstrip("\"'“¿¡")
            if first[:1].islower() and not any(first.startswith(name) for name in trial.own):
                return False
    return True


def _hook_whole(_: Trial, one: Made) -> bool:
    hook = one.creative["hook"]
    return len(hook.split()) <= 14 and len(hook) <= 90 and hook[-1] in ".!?…"


def _named(trial: Trial, one: Made) -> bool | None:
    text = " ".join(one.creative[field] for field in _FIELDS).lower()
    return any(name.lower() in text for name in trial.names) if trial.names else None


def _promise(trial: Trial, one: Made) -> bool | None:
    if one.hook_shape != "list" or trial.language != "en":
        return None
    wanted = next((number for word, number in _NUMBER_WORDS.items() if word in tokens(one.creative["hook"])), None)
    starts = [tokens(sentence)[:1] for sentence in split(one.creative["voiceOverScript"])[1:]]
    return wanted is not None and sum(start[0] in ("one", *_NUMBER_WORDS) for start in starts if start) == wanted


def _fields_differ(_: Trial, one: Made) -> bool:
    hook, caption, script = (one.creative[field] for field in _FIELDS)
    return fuzz.ratio(hook, caption) < 80 and not (
        {s.lower() for s in split(caption)} & {s.lower() for s in split(script)}
    )


def _shape(trial: Trial, one: Made) -> bool:
    return (
        one.hook_shape == trial.blueprint.hook_shape
        or one.provenance["substitutions"].get("hookShape") == trial.blueprint.hook_shape
    )


def _kinds(one: Made) -> list[str]:
    return [beat["kind"] for beat in one.provenance["beats"]]


def _alike(trial: Trial, one: Made) -> float:
    return similarity(_kinds(one), [beat.kind for beat in trial.blueprint.beats])


def _cta(one: Made) -> float | None:
    return next((beat["startMs"] / one.duration_ms for beat in one.provenance["beats"] if beat["kind"] == "cta"), None)


def _same_shots(trial: Trial, one: Made) -> bool:
    mine, theirs = len(one.creative["shots"]), len(trial.blueprint.shots)
    if trial.layer_format == "slideshow":
        return True
    return abs(mine - theirs) <= 1 and abs(one.duration_ms / mine / trial.blueprint.mean_shot_ms - 1) <= 0.2


def _same_cta(trial: Trial, one: Made) -> bool | None:
    mine, theirs = _cta(one), trial.blueprint.cta_start
    if mine is None or theirs is None:
        return None if theirs is None else False
    return abs(mine - theirs) <= max(0.05, trial.blueprint.mean_shot_ms / trial.blueprint.duration_ms / 2)


def _hook_length(trial: Trial, one: Made) -> bool | None:
    wanted = min(max(trial.blueprint.hook_words, 3), 14)
    return (
        abs(len(tokens(one.creative["hook"])) - wanted) <= max(2, 0.25 * wanted) if trial.blueprint.hook_words else None
    )


def _leaves(trial: Trial, one: Made) -> float:
    source = trial.blueprint
    count = len(one.creative["shots"])
    off = max(abs(count / len(source.shots) - 1), abs(one.duration_ms / count / source.mean_shot_ms - 1))
    parts = (
        float(one.hook_shape != source.hook_shape),
        1 - _alike(trial, one),
        float(one.visual_format != source.visual_format),
        min(1.0, off),
        float(position_of(_cta(one)) != source.cta_position),
    )
    return sum(parts) / len(parts)


def _two_ways(trial: Trial, one: Made) -> bool:
    source = trial.blueprint
    count = len(one.creative["shots"])
    off = max(abs(count / len(source.shots) - 1), abs(one.duration_ms / count / source.mean_shot_ms - 1))
    ways = (
        one.hook_shape != source.hook_shape,
        _alike(trial, one) <= 0.6,
        one.visual_format != source.visual_format,
        off >= 0.25,
        position_of(_cta(one)) != source.cta_position,
    )
    return sum(ways) >= 2


def _premise(trial: Trial, one: Made) -> bool | None:
    source = trial.blueprint
    row = set(tokens(" ".join(one.creative[field] for field in _FIELDS)))
    if not source.premise:
        return None
    if row & set(source.premise):
        return True
    # A theme counts where its noun stands: "the trip" by "trip".
    known = {theme: phrase for theme in source.themes if (phrase := theme_phrase(theme, trial.language))}
    told = any(
        row & theme_words(theme, trial.language) or phrase.lower().split()[-1] in row for theme, phrase in known.items()
    )
    return told if known else None


_FORK: Final[dict[str, Callable[[Trial, Made], bool | None]]] = {
    "fork: hook shape": _shape,
    "fork: beats": lambda trial, one: _alike(trial, one) >= 0.8,
    "fork: duration": lambda trial, one: (
        abs(one.duration_ms - trial.blueprint.duration_ms) <= max(500, 0.05 * trial.blueprint.duration_ms)
    ),
    "fork: shots": _same_shots,
    "fork: call to action": _same_cta,
    "fork: hook length": _hook_length,
}
_REIMAGINE: Final[dict[str, Callable[[Trial, Made], bool | None]]] = {
    "reimagine: two ways": _two_ways,
    "reimagine: distance": lambda trial, one: _leaves(trial, one) >= 0.3,
    "reimagine: premise": _premise,
}


def _set_bars(trial: Trial) -> Iterator[tuple[str, bool | None]]:
    made, size = trial.made, len(trial.made)
    scripts = [one.creative["voiceOverScript"] for one in made]
    texts = [
        # A brand's name is one word here, however many it has.
        tokens(
            skeleton(f"{one.creative['caption']} {one.creative['voiceOverScript']}", trial.names).replace(
                "@", "brandname"
            )
        )
        for one in made
    ]
    if trial.mode == "reimagine":
        others = sum(one.hook_shape != trial.blueprint.hook_shape for one in made)
        yield "reimagine: other hook shape in 80 %", others >= 0.8 * size
        yield "reimagine: hook shapes of a set", len({one.hook_shape for one in made}) >= min(size, 4)
        yield "reimagine: arcs of a set", len({tuple(_kinds(one)) for one in made}) >= min(size, 3)
    if trial.facts:
        stated = [{fact for fact in trial.facts if _states(one, fact)} for one in made]
        yield (
            "facts: in most variations",
            sum(map(bool, stated)) * 2 > size or (size == 2 and any(stated)) or len(trial.facts) == 1,
        )
        yield "facts: three over five", len(set().union(*stated)) >= min(3, len(trial.facts)) if size >= 5 else None
    if size < 2:
        return
    yield "set: hooks differ", len({skeleton(one.creative["hook"], trial.names) for one in made}) == size
    lines = [skeleton(line, trial.names) for script in scripts for line in split(script) if len(tokens(line)) >= 5]
    yield "set: no sentence twice", len(set(lines)) == len(lines)
    yield "set: Jaccard", all(len(set(a) & set(b)) / len(set(a) | set(b)) <= 0.35 for a, b in combinations(texts, 2))
    yield "set: self-BLEU-4", self_bleu(texts) <= 0.20 + 0.08 * max(0, size - 5) / 5
    pairs = [pair for row in texts for pair in pairwise(row)]
    length = sum(map(len, texts)) / size
    least = 0.88 - 0.04 * max(0, size - 5) / 5 - 0.03 * max(0.0, math.log2(length / 80))
    yield "set: distinct-2", len(set(pairs)) / len(pairs) >= least


def _states(one: Made, fact: str) -> bool:
    """Whether a variation says a fact, in these words or with another form of its verb."""
    text = " ".join(one.creative[field] for field in ("caption", "voiceOverScript")).lower()
    tail = fact.lower().rstrip(".").split(" ", 1)[-1]
    return tail in text


def self_bleu(texts: list[list[str]]) -> float:
    """The mean BLEU-4 (clipped precision, geometric mean, no brevity penalty) of each text against the rest."""
    return sum(_bleu(text, texts[:i] + texts[i + 1 :]) for i, text in enumerate(texts)) / len(texts)


def _bleu(text: list[str], others: list[list[str]]) -> float:
    product = 1.0
    for size in range(1, 5):
        mine = grams(text, size)
        if not mine:
            return 0.0
        theirs = [grams(other, size) for other in others]
        hit = sum(min(count, max(other[gram] for other in theirs)) for gram, count in mine.items())
        product *= max(hit, 0.1) / sum(mine.values())
    return math.pow(product, 0.25)
