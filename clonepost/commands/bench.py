"""`clonepost bench …`: how fast, measured on this machine against what the machine can do at all."""

import signal
from pathlib import Path
from typing import Annotated, Literal

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
    connections: Annotated[
        int, typer.Option("--connections", min=1, help="Connections that send at once, to each server.")
    ] = 256,
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


@app.command("pipeline")
def pipeline(
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Jobs a round.")] = 10_000,
    variations: Annotated[int, typer.Option("--variations", min=1, max=10, help="Variations a job.")] = 3,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Pipeline and raw limit, in turn, so often.")] = 3,
    organizations: Annotated[int, typer.Option("--organizations", min=1, help="Whose jobs these are.")] = 4,
    raw_jobs: Annotated[
        int, typer.Option("--raw-jobs", min=0, help="Jobs in the raw limit at most; 0: none.")
    ] = 20_000,
    latency_requests: Annotated[
        int, typer.Option("--latency-requests", min=0, help="POSTs one at a time; 0: none.")
    ] = 200,
    folder: Annotated[Path | None, typer.Option("--folder", help="Keep the stack's data and logs here.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure the pipeline with the instant generator, beside its own records and rows as ready bytes: the raw limit.

    Starts a stack of its own. DATABASE_URL and KAFKA_BOOTSTRAP_SERVERS are used when they are set; nobody else may use
    them then.

    Example:  clonepost bench pipeline --jobs 10000 --variations 3
    """
    from bench.pipeline.measure import Plan, measure
    from bench.pipeline.report import show

    plan = Plan(jobs, variations, rounds, organizations, raw_jobs, latency_requests)
    progress = Console(stderr=True)
    found = measure(plan, folder, lambda line: progress.print(f"  {line}", style="dim"))
    if as_json:
        print_json(found)
    else:
        show(found, Console())


@app.command("generation")
def generation(
    half: Annotated[
        Literal["held_out", "train", "fresh"], typer.Option("--half", help="Which labelled sources.")
    ] = "held_out",
    languages: Annotated[list[str] | None, typer.Option("--language", help="Layers; may be repeated.")] = None,
    every: Annotated[int, typer.Option("--every", min=1, help="Take every n-th source only.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Measure generated copy against every bar, over sources that nothing was tuned on, and how long it takes.

    Both modes, sets of 1, 3, 5 and 10, several brands. Needs no services. Exits with 1 where a bar is missed.

    Example:  clonepost bench generation --every 5
    """
    from bench.generation.report import document, show
    from bench.generation.table import measure

    found = measure(half, languages=languages or ["en"], every=every)
    if as_json:
        print_json(document(half, found))
    else:
        show(half, found, Console(width=110))
    if found.missed():
        raise typer.Exit(1)
