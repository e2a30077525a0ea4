"""A sample of the bars that `clonepost bench generation` measures in full."""

from bench.generation.bars.sets import self_bleu
from bench.generation.table import LEAST, Results, measure
from bench.generation.tokens import tokens

_FEW = 40


def test_the_bars_hold_over_a_sample_of_the_held_out_sources() -> None:
    results = measure("held_out", sizes=(1, 3, 5), every=8, jobs=())
    missed = {name: row for name, row in results.rows.items() if not _holds(results, name)}
    assert not missed
    assert {"produced", "quoting: no shared run", "fork: beats", "reimagine: premise", "set: self-BLEU-4"} <= set(
        results.rows
    )


def test_spanish_and_german_hold_them_too() -> None:
    results = measure("held_out", sizes=(3,), every=8, languages=("es", "de"), jobs=())
    assert not {name: row for name, row in results.rows.items() if not _holds(results, name)}


def test_self_bleu_tells_copies_from_texts_of_their_own() -> None:
    text = tokens("the cat sat on the mat and looked at the moon for a while")
    other = tokens("nobody knew why seven boats left so early that morning without any crew")
    assert self_bleu([text, text]) > 0.99
    assert self_bleu([text, other]) < 0.1


def _holds(results: Results, name: str) -> bool:
    """At least the share of the full run; of a few, one may miss."""
    held, judged = (sum(column) for column in zip(*results.rows[name].values(), strict=True))
    return results.rate(name) >= LEAST or (judged <= _FEW and judged - held <= 1)
