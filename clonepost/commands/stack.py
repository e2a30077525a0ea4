"""`clonepost down | status`: what runs on this machine. Light on imports: these should answer at once."""

from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import typer
from rich.console import Console
from rich.table import Table

from clonepost.commands.options import HomeOption, JsonOption, print_json
from clonepost.localstack.home import ProcessState, find_process, home_at
from clonepost.localstack.orphans import end_orphans, end_supervisor

NOTHING_RUNS: Final = 3
_STOP_SECONDS: Final = 45.0


def down(home: HomeOption = None) -> None:
    """Stop the stack of this home. Its data stays.

    Example:  clonepost down --home /tmp/second
    """
    where = home_at(home)
    with Console(stderr=True).status("stopping"):
        stopped = end_supervisor(where, timeout_seconds=_STOP_SECONDS)
        left = end_orphans(where)
        where.state_file.unlink(missing_ok=True)
    typer.echo(f"stopped {where.folder}; its data stays" if stopped or left else f"nothing runs in {where.folder}")


def status(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show every process of the stack and the addresses. Exits with 3 when nothing runs.

    Example:  clonepost status --json
    """
    where = home_at(home)
    state = where.read()
    supervised = state is not None and find_process(state.supervisor) is not None
    processes = [_shown(process, supervised) for process in state.processes] if state is not None else []
    if not supervised:
        processes = [process for process in processes if process["state"] == "orphaned"]
    addresses = state.addresses if state is not None and processes else {}
    if as_json:
        print_json({"processes": processes, "addresses": addresses})
    elif not processes and not supervised:
        typer.echo(f"nothing runs in {where.folder}; start it with `clonepost up`")
    else:
        _print(processes, addresses)
        if not supervised:
            typer.echo("Its supervisor was killed: `clonepost up` starts afresh, `clonepost down` ends what is left.")
    if not supervised:
        raise typer.Exit(NOTHING_RUNS)


def _shown(process: ProcessState, supervised: bool) -> dict[str, Any]:
    shown = process.shown()
    if not supervised:
        shown["state"] = "stopped" if find_process(process) is None else "orphaned"
    return shown


def _print(processes: list[dict[str, Any]], addresses: dict[str, str]) -> None:
    console = Console()
    table = Table("role", "pid", "state", "restarts")
    for process in processes:
        table.add_row(process["role"], str(process["pid"] or "-"), process["state"], str(process["restarts"]))
    console.print(table)
    for name, address in addresses.items():
        console.print(f"{name:9} {_without_password(address)}", soft_wrap=True, highlight=False)


def _without_password(address: str) -> str:
    parts = urlsplit(address)
    if not parts.password:
        return address
    account, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{account.partition(':')[0]}:***@{host}"))
