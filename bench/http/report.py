"""The results: medians over the rounds, as one document for programs and as lines for people."""

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.http.measure import ACKNOWLEDGED, ECHO, EXACT, FULL, HALF, LOW, Phase, Plan


def document(plan: Plan, phases: Sequence[Phase]) -> dict[str, Any]:
    """Everything that a run found. A ratio is taken within a round, where the machine was equally busy for both."""
    loads: dict[str, Any] = {}
    for what, load in (
        (ECHO, FULL),
        (ACKNOWLEDGED, FULL),
        (ACKNOWLEDGED, HALF),
        (EXACT, FULL),
        (EXACT, HALF),
        (EXACT, LOW),
    ):
        found = [phase for phase in phases if (phase.what, phase.load) == (what, load)]
        loads.setdefault(what, {})[load] = {
            "per_second": statistics.median(phase.answered.per_second for phase in found),
            "p50_ms": statistics.median(phase.answered.p50_ms for phase in found),
            "p99_ms": statistics.median(phase.answered.p99_ms for phase in found),
            "late_sends": sum(phase.answered.late for phase in found),
            "cores": _cores(found),
        }
    return {
        "asked": asdict(plan),
        "machine": {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        **loads,
        "acknowledged_to_echo": _ratio(phases, ACKNOWLEDGED),
        "exact_to_echo": _ratio(phases, EXACT),
        "phases": [_flat(phase) for phase in phases],
    }


def show(found: dict[str, Any], console: Console) -> None:
    """Print what a person looks at first."""
    table = Table("what", "load", "POST/s", "p50 ms", "p99 ms", "wrk", "server", "kafka", "postgres", "others")
    for what in (ECHO, ACKNOWLEDGED, EXACT):
        for load, one in found[what].items():
            cores = dict(one["cores"])
            server = cores.pop("echo" if what == ECHO else f"api-{what}")
            shown = (cores.pop("wrk"), server, cores.pop("kafka"), cores.pop("postgres"), sum(cores.values()))
            table.add_row(
                what,
                load,
                f"{one['per_second']:,.0f}",
                f"{one['p50_ms']:.1f}",
                f"{one['p99_ms']:.1f}",
                *(f"{part:.2f}" for part in shown),
            )
    console.print(table)
    acknowledged, exact, asked = found["acknowledged_to_echo"], found["exact_to_echo"], found["asked"]
    console.print(f"acknowledged to echo {acknowledged:.1%}, exact verdicts to echo {exact:.1%}")
    console.print(
        f"{asked['connections']} connections, medians of {asked['rounds']} rounds; the right half is what each took, "
        f"in cores of {found['machine']['cores']}"
    )
    for what, loads in ((ACKNOWLEDGED, found[ACKNOWLEDGED]), (EXACT, found[EXACT])):
        for load, one in loads.items():
            if one["late_sends"]:
                console.print(f"{what}, {load} load: {one['late_sends']} requests were sent over 5 ms late")


def _ratio(phases: Sequence[Phase], what: str) -> float:
    full = {(phase.what, phase.round): phase.answered.per_second for phase in phases if phase.load == FULL}
    return statistics.median(rate / full[ECHO, number] for (one, number), rate in full.items() if one == what)


def _cores(phases: Sequence[Phase]) -> dict[str, float]:
    names = phases[0].cores
    return {name: statistics.median(phase.cores[name] for phase in phases) for name in names}


def _flat(phase: Phase) -> dict[str, Any]:
    return {**asdict(phase), "per_second": phase.answered.per_second}
