"""The table of the bars, for people and for machines."""

from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench.generation.accuracy import accuracy
from bench.generation.corpus import Half
from bench.generation.table import LEAST, MOST_MS, SIZES, Results, mean_ms

_COLUMNS: Final = (*SIZES,)


def document(half: Half, results: Results) -> dict[str, Any]:
    """All that was measured, as JSON."""
    found = accuracy(half)
    return {
        "half": half,
        "accuracy": {label: round(found.right[label] / found.judged[label], 3) for label in found.judged},
        "beatSimilarity": None if found.beats is None else round(found.beats, 3),
        "bars": {name: round(results.rate(name), 4) for name in results.rows},
        "shares": {name: {"worst": round(share, 4), "most": most} for name, share, most in results.shares},
        "meanMs": round(mean_ms(results), 2),
        "missed": results.missed(),
    }


def show(half: Half, results: Results, console: Console) -> None:
    """Print the tables."""
    labels = Table(title=f"Analysis of the {half} sources against a person's labels")
    labels.add_column("label")
    labels.add_column("right", justify="right")
    found = accuracy(half)
    for label in found.judged:
        labels.add_row(label, f"{found.right[label]} of {found.judged[label]}")
    if found.beats is not None and found.same_beats is not None:
        labels.add_row("order of beats, mean similarity", f"{found.beats:.2f}")
        labels.add_row("order of beats, the same", f"{found.same_beats:.0%}")
    console.print(labels)
    bars = Table(title=f"Bars over the {half} sources: at least {LEAST:.0%} each")
    bars.add_column("bar")
    for size in _COLUMNS:
        bars.add_column(f"N={size}", justify="right")
    bars.add_column("all", justify="right")
    bars.add_column("")
    for name, row in results.rows.items():
        cells = [f"{row[size][0]}/{row[size][1]}" if size in row else "" for size in _COLUMNS]
        rate = results.rate(name)
        bars.add_row(name, *cells, f"{rate:.1%}", "" if rate >= LEAST else "missed")
    for name, share, most in results.shares:
        bars.add_row(
            name, *("" for _ in _COLUMNS), f"{share:.2%}", f"of {most:.0%}" + ("" if share <= most else " missed")
        )
    console.print(bars)
    console.print(f"{mean_ms(results):.1f} ms of processor time a variation in the mean (at most {MOST_MS:.0f}).")
