"""`clonepost bench generation`: the table."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from statistics import mean
from typing import Final

from bench.generation.across import LARGE, large_run, ten_jobs
from bench.generation.bars import bars
from bench.generation.bars.verdict import Tally
from bench.generation.corpus import Half, brands, sources
from bench.generation.trial import Trial, run
from consumers.generation.standalone import standalone

SIZES: Final = (1, 3, 5, 10)
MODES: Final = ("fork", "reimagine")
LEAST: Final = 0.97
MOST_MS: Final = 20.0
_JOBS: Final = 10


@dataclass(slots=True)
class Results:
    """Rows by name: held and judged by size. `shares` are worst shares with their limits."""

    rows: dict[str, dict[int, Tally]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(lambda: (0, 0))))
    shares: list[tuple[str, float, float]] = field(default_factory=list)
    milliseconds: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, name: str, size: int, tally: Tally) -> None:
        """Count one more job's say."""
        held, judged = self.rows[name][size]
        self.rows[name][size] = (held + tally[0], judged + tally[1])

    def rate(self, name: str) -> float:
        """The pass rate of a row over all sizes."""
        held, judged = (sum(column) for column in zip(*self.rows[name].values(), strict=True))
        return held / judged if judged else 1.0

    def missed(self) -> list[str]:
        """The rows under the bar."""
        return [name for name in self.rows if self.rate(name) < LEAST] + [
            name for name, share, most in self.shares if share > most
        ]


def measure(
    half: Half,
    *,
    sizes: Sequence[int] = SIZES,
    languages: Sequence[str] = ("en",),
    every: int = 1,
    jobs: Sequence[str] = MODES,
) -> Results:
    """Run every `every`-th source of a half in both modes and all sizes, brands in turn, and judge what comes of it.

    `jobs` are the modes in which ten jobs of each brand are compared as well.
    """
    results = Results()
    trials: list[Trial] = []
    for size in sizes:
        for number, trial in enumerate(_trials(half, size, languages, every)):
            for name, tally in bars(trial):
                results.add(name, size, tally)
            results.milliseconds[size].extend(1000 * seconds for seconds in trial.seconds)
            trials.append(trial)
            if number < 5:
                _override(trial, size, results)
    _across(half, results, languages, jobs)
    if sum(len(trial.made) for trial in trials) >= LARGE:
        results.shares.extend(large_run(trials))
    return results


def mean_ms(results: Results) -> float:
    """The mean time per variation."""
    return mean(value for values in results.milliseconds.values() for value in values)


def _trials(half: Half, size: int, languages: Sequence[str], every: int) -> Iterator[Trial]:
    for number, item in enumerate(sources(half)[::every]):
        for mode in MODES:
            for language in languages:
                all_brands = brands(language)
                yield run(
                    standalone(
                        item.source,
                        all_brands[(number + size) % len(all_brands)],
                        mode=mode,
                        variations=size,
                        ordinal=number // len(all_brands) * len(SIZES) + SIZES.index(size),
                        language=language,
                        layer_format="slideshow" if number % 5 == 4 else "video",
                    )
                )


def _across(half: Half, results: Results, languages: Sequence[str], modes: Sequence[str]) -> None:
    items = sources(half)
    for language in languages:
        for brand in brands(language):
            for mode in modes:
                trials = [
                    run(
                        standalone(
                            items[(3 * job) % len(items)].source,
                            brand,
                            mode=mode,
                            variations=3,
                            ordinal=job,
                            language=language,
                        )
                    )
                    for job in range(_JOBS)
                ]
                for name, holds in ten_jobs(trials):
                    results.add(name, _JOBS, (int(holds), 1))


def _override(trial: Trial, size: int, results: Results) -> None:
    """The same job with overrides: they stand byte for byte, and the same job again is the same."""
    overrides = {"caption": " A caption <b> of ours\n", "cta": "", "voiceOverScript": "Say {this}."}
    given = run(replace(trial.job, overrides=overrides))
    stands = [all(one.creative[name] == text for name, text in overrides.items()) for one in given.made]
    results.add("fit: overrides byte for byte", size, (sum(stands), len(stands)))
    first, again = run(trial.job), run(trial.job)
    results.add("the same in a fresh process", size, (int(first.made == again.made), 1))
