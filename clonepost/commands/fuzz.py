"""`clonepost fuzz …`: hostile input from a seed, against what reads it."""

import itertools
from typing import Annotated, Any

import typer
from rich.console import Console

from clonepost.commands.options import JsonOption, print_json

app = typer.Typer(
    help="Hostile input, counted to the last record and request.", no_args_is_help=True, rich_markup_mode=None
)

SeedOption = Annotated[int, typer.Option("--seed", help="Which input; the same seed, the same.")]


@app.callback()
def _root() -> None:
    """Keeps the group a group."""


@app.command("kafka")
def kafka(
    records: Annotated[
        int, typer.Option("--records", min=0, help="Records for the intakes, in this process.")
    ] = 100_000,
    through: Annotated[
        int, typer.Option("--through-kafka", min=0, help="Records through a broker to the real consumers.")
    ] = 2_000,
    seed: SeedOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Feed hostile records to every stage: each must end as a decision or as a dead letter, and the counts must meet.

    The first part calls the stages' own intake, and the checker's judgement is held against each. The second starts a
    stack of its own. Status 1 when a record is missing, or judged otherwise.

    Example:  clonepost fuzz kafka --records 1000000 --through-kafka 20000 --seed 7
    """
    from bench.fuzz.intake import read_all
    from bench.fuzz.records import hostile_records
    from bench.fuzz.through_kafka import send_all
    from bench.load import make_tenants

    say = _progress()
    tally = read_all(itertools.islice(hostile_records(seed, make_tenants(seed=seed)), records))
    found: dict[str, Any] = {
        "ok": tally.ok,
        "seed": seed,
        "records": tally.records,
        "decisions": dict(sorted(tally.decisions.items())),
        "deadLetters": dict(sorted(tally.dead_letters.items())),
        "kinds": dict(sorted(tally.kinds.items())),
        "findings": tally.findings,
    }
    say(f"{tally.records} records: {tally.decisions.total()} decisions, {tally.dead_letters.total()} dead letters")
    if through:
        sent = send_all(through, seed=seed, say=say)
        found["ok"] = tally.ok and sent.ok
        found["throughKafka"] = {
            "ok": sent.ok,
            "records": dict(sent.records),
            "decisions": dict(sent.decisions),
            "deadLetters": dict(sent.dead_letters),
            "tooLargeForTheBroker": sent.too_large,
            "drainedSeconds": sent.drained_seconds,
            "checker": sent.verdict.as_json(),
        }
        if not as_json:
            typer.echo(f"through Kafka: {dict(sent.records)} records, {dict(sent.decisions)} decisions, ")
            typer.echo(f"{dict(sent.dead_letters)} dead letters\n{sent.verdict}")
    if as_json:
        print_json(found)
    else:
        for name, count in [*found["decisions"].items(), *found["deadLetters"].items()]:
            typer.echo(f"{count:>9}  {name}")
        for finding in tally.findings:
            typer.echo(f"FOUND: {finding}")
    raise typer.Exit(0 if found["ok"] else 1)


@app.command("http")
def http(
    requests: Annotated[int, typer.Option("--requests", min=1, help="Requests to send.")] = 20_000,
    seed: SeedOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Send hostile requests to every route, with keys and without, and hold each answer against /openapi.json.

    Starts a stack of its own. Status 1 for a 5xx other than 503, an answer that is not documented, an API that ended or
    that has grown.

    Example:  clonepost fuzz http --requests 200000 --seed 7
    """
    from bench.fuzz.over_http import ask_all

    answers = ask_all(requests, seed=seed, say=_progress())
    found = {
        "ok": answers.ok,
        "seed": seed,
        "requests": answers.requests,
        "seconds": round(answers.seconds, 1),
        "statuses": dict(sorted(answers.statuses.items())),
        "kinds": dict(sorted(answers.kinds.items())),
        "memoryBytes": answers.memory,
        "restarted": answers.restarted,
        "findings": answers.findings,
    }
    if as_json:
        print_json(found)
    else:
        for name in ("requests", "seconds", "statuses", "kinds", "memoryBytes", "restarted"):
            typer.echo(f"{name}: {found[name]}")
        for finding in answers.findings:
            typer.echo(f"FOUND: {finding}")
    raise typer.Exit(0 if answers.ok else 1)


def _progress() -> Any:
    console = Console(stderr=True)
    return lambda line: console.print(f"  {line}", style="dim")
