"""The bars of one job, each with how many of its variations (or whether the set) hold it. Counted from what is seen."""

from collections.abc import Iterator

from bench.generation.bars.fit import FIT
from bench.generation.bars.quoting import QUOTING
from bench.generation.bars.sets import set_bars
from bench.generation.bars.structure import FORK, REIMAGINE
from bench.generation.bars.verdict import Tally
from bench.generation.bars.written import WRITTEN
from bench.generation.trial import Trial


def bars(trial: Trial) -> Iterator[tuple[str, Tally]]:
    """Every row of the table that this job has a say in."""
    made = trial.made
    yield "produced", (len(made), trial.job.variations)
    if not made:
        return
    each = QUOTING | FIT | WRITTEN | (FORK if trial.job.mode == "fork" else REIMAGINE)
    for name, holds in each.items():
        verdicts = [verdict for one in made if (verdict := holds(trial, one)) is not None]
        yield name, (sum(verdicts), len(verdicts))
    for name, verdict in set_bars(trial):
        if verdict is not None:
            yield name, (int(verdict), 1)
