"""`clonepost drill`: faults of every kind against a stack of its own, under load; then the checker."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from clonepost.commands.options import JsonOption, print_json
from runtime.errors import ClonepostError


def drill(
    minutes: Annotated[float, typer.Option("--minutes", min=0.1, help="How long faults happen.")] = 3.0,
    seed: Annotated[int, typer.Option("--seed", help="Which faults and which requests; the same seed, the same.")] = 1,
    faults: Annotated[
        str, typer.Option("--faults", help="Kinds, separated by commas; `all`, `none`, `-kind` for all but it.")
    ] = "all",
    rate: Annotated[float, typer.Option("--rate", min=1, help="Requests a second.")] = 30.0,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Keep logs and history here, whatever comes out.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Load a stack of its own, harm it as a seed says, heal it, let it drain, and hold it against every invariant.

    Status 1 when an invariant is broken; the command that runs the same again is shown then. Ctrl-C or SIGTERM ends
    the faults early: what happened until then is judged. A second one ends everything at once.

    Example:  clonepost drill --minutes 3 --seed 7 --faults kill,lost-commit
    """
    from bench.drill.running import Drill, run

    progress = Console(stderr=True)
    asked = Drill(minutes, seed, _kinds(faults), rate, folder)
    found = run(asked, lambda line: progress.print(f"  {line}", style="dim"))
    if as_json:
        print_json(found.as_json())
    else:
        typer.echo(str(found))
    raise typer.Exit(0 if found.ok else 1)


def _kinds(text: str) -> tuple[str, ...]:
    """The kinds that are named. Raises ClonepostError that lists what there is."""
    from bench.drill.faults import KINDS

    named = [part.strip() for part in text.split(",") if part.strip()]
    left_out = {part[1:] for part in named if part.startswith("-")}
    wanted = {part for part in named if not part.startswith("-")} - {"none"}
    if "all" in wanted or (left_out and not wanted):
        wanted = (wanted - {"all"}) | set(KINDS)
    if unknown := (wanted | left_out) - set(KINDS):
        raise ClonepostError(f"there is no fault {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")
    return tuple(kind for kind in KINDS if kind in wanted - left_out)
