"""`clonepost bench …`: how fast, measured on this machine against what the machine can do at all."""

import signal
from typing import Annotated

import typer
from rich.console import Console

from clonepost.commands.options import JsonOption, print_json

app = typer.Typer(
    help="How fast, against what this machine can do at all.", no_args_is_help=True, rich_markup_mode=None
)


@app.callback()
def _root() -> None:
    """Keeps the group a group."""


@app.command("http")
def http(
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="How often each phase is measured.")] = 3,
    seconds: Annotated[float, typer.Option("--seconds", min=1, help="How long each phase lasts.")] = 4.0,
    connections: Annotated[int, typer.Option("--connections", min=1, help="Connections that send at once.")] = 64,
    low_rate: Annotated[float, typer.Option("--low-rate", min=1, help="POSTs a second at low load.")] = 100.0,
    as_json: JsonOption = False,
) -> None:
    """Measure POSTs a second, acknowledged and with the exact verdict, beside a bare echo of the same server.

    Kafka and Postgres are started for it and removed after; the load generator is wrk, in a process of its own.

    Example:  clonepost bench http --json
    """
    from bench.http.measure import Plan, measure
    from bench.http.report import document, show

    # Like a Ctrl-C: the servers are stopped on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    plan = Plan(rounds, seconds, connections, low_rate)
    progress = Console(stderr=True)
    found = document(plan, measure(plan, lambda line: progress.print(f"  {line}", style="dim")))
    if as_json:
        print_json(found)
    else:
        show(found, Console())
