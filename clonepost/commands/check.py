"""`clonepost check`: do topics and tables keep every promise, as an independent reader sees them?"""

from pathlib import Path
from typing import Annotated

import typer

from clonepost.commands.options import HomeOption, JsonOption, connect, print_json
from runtime.errors import ClonepostError

HistoryOption = Annotated[
    Path | None,
    typer.Option("--history", help="What clients did and saw, as bench.checker.Recorder writes it.", exists=True),
]
WaitOption = Annotated[
    float, typer.Option("--wait", min=0, help="How many seconds the system may take to finish what it has to do.")
]


def check_system(
    history: HistoryOption = None, wait_seconds: WaitOption = 60.0, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Hold a running system against its invariants, each with its number of checks; status 1 when one is broken.

    Reads every topic and table, so let no requests come meanwhile. Without a history the promises to clients are not
    judged.

    Example:  clonepost check --json
    """
    from bench.checker import History, System, Unreadable, check, read_history, wait_until_drained

    settings, database_url = connect(home)
    system = System(
        settings.kafka, database_url, settings.topic_prefix, reply_wait_seconds=settings.reply_wait_ms / 1000
    )
    try:
        seen = History() if history is None else read_history(history)
        seen.add(wait_until_drained(system, within_seconds=wait_seconds))
        report = check(system, seen)
    except (Unreadable, ValueError) as error:
        raise ClonepostError(f"the check was not made: {error}") from error
    if as_json:
        print_json(report.as_json())
    else:
        typer.echo(str(report))
    raise typer.Exit(0 if report.ok else 1)
