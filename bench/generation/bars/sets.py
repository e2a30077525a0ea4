"""What holds between the variations of one job, and over all of them."""

import math
from collections.abc import Iterator
from itertools import combinations, pairwise

from bench.generation.bars.structure import kinds
from bench.generation.tokens import grams, skeleton, split, tokens
from bench.generation.trial import Trial
from consumers.generation.generators import Made


def set_bars(trial: Trial) -> Iterator[tuple[str, bool | None]]:
    """Name, and whether the set holds it; None where it asks nothing of a set of this size."""
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
    if trial.job.mode == "reimagine":
        others = sum(one.hook_shape != trial.blueprint.hook_shape for one in made)
        yield "reimagine: other hook shape in 80 %", others >= 0.8 * size
        yield "reimagine: hook shapes of a set", len({one.hook_shape for one in made}) >= min(size, 4)
        yield "reimagine: arcs of a set", len({tuple(kinds(one)) for one in made}) >= min(size, 3)
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
