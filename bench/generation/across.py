"""The bars across the jobs of one brand, and over a large run."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from bench.generation.tokens import grams, skeleton, split, tokens
from bench.generation.trial import Trial

LARGE: Final = 200
"""Below so many hooks, a share of three per cent says nothing."""


def ten_jobs(trials: list[Trial]) -> Iterator[tuple[str, bool]]:
    """What holds between ten jobs of one brand."""
    hooks = [one.creative["hook"] for trial in trials for one in trial.made]
    captions = [one.creative["caption"] for trial in trials for one in trial.made]
    names = trials[0].names
    yield "jobs: no hook twice", len(set(hooks)) == len(hooks)
    yield "jobs: no caption twice", len(set(captions)) == len(captions)
    lines = [{line for one in trial.made for line in split(one.creative["voiceOverScript"])} for trial in trials]
    # One sentence of nine is more than a tenth, and is no repetition either.
    shared = [(len(mine & other), len(mine)) for mine in lines for other in lines if other is not mine]
    yield "jobs: a tenth of sentences shared at most", all(count <= max(1, 0.10 * size) for count, size in shared)
    skeletons = Counter(skeleton(hook, names) for hook in hooks)
    # One of nine hooks is more than a tenth, and is no repetition.
    yield "jobs: no hook skeleton in a tenth", max(skeletons.values()) <= max(1, 0.10 * len(hooks))


def large_run(trials: list[Trial]) -> Iterator[tuple[str, float, float]]:
    """Name, the worst share, and what it may be, over all hooks and script sentences of a run."""
    hooks: Counter[str] = Counter()
    starts: Counter[tuple[str, ...]] = Counter()
    lines: Counter[str] = Counter()
    pasted_hooks = pasted_lines = facts_hooks = facts_lines = 0
    for trial in trials:
        runs = {run for fact in trial.facts for run in grams(tokens(fact), 4)}
        for one in trial.made:
            hook = one.creative["hook"]
            hooks[skeleton(hook, trial.names)] += 1
            starts[tuple(tokens(hook)[:3])] += 1
            facts_hooks += bool(runs)
            pasted_hooks += bool(runs & set(grams(tokens(hook), 4)))
            for line in split(one.creative["voiceOverScript"]):
                lines[skeleton(line, trial.names)] += 1
                facts_lines += bool(runs)
                pasted_lines += bool(runs & set(grams(tokens(line), 4)))
    yield "run: the most frequent hook skeleton", _worst(hooks), 0.03
    yield "run: the most frequent first three words", _worst(starts), 0.04
    yield "run: the most frequent sentence skeleton", _worst(lines), 0.01
    yield "run: hooks that paste a fact", pasted_hooks / max(1, facts_hooks), 0.20
    yield "run: sentences that paste a fact", pasted_lines / max(1, facts_lines), 0.25


def _worst(counts: Counter[str] | Counter[tuple[str, ...]]) -> float:
    return max(counts.values()) / sum(counts.values())
