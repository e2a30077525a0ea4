"""`clonepost up | down | status`: the stack on this machine."""

import os
import signal
import subprocess
import sys
import time
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from clonepost.commands.options import HomeOption, JsonOption, print_json
from clonepost.localstack.home import Home, find_process, home_at
from clonepost.localstack.supervisor import Options, Supervisor, stop_running
from runtime.errors import ClonepostError

_DETACH_SECONDS: Final = 180.0


def up(
    home: HomeOption = None,
    port: Annotated[int | None, typer.Option("--port", help="The API's port; else 8080, or a free one.")] = None,
    demo: Annotated[bool, typer.Option("--demo/--no-demo", help="Import demo data and show one clone.")] = True,
    detach: Annotated[bool, typer.Option("--detach", help="Return when ready; `clonepost down` stops it.")] = False,
) -> None:
    """Start Kafka, Postgres, the API and every consumer, show one clone, and stay up until Ctrl-C.

    Example:  clonepost up --home /tmp/second --port 8081 --no-demo
    """
    console = Console()
    where = home_at(home)
    if detach:
        _start_detached(where, port, console)
        if demo:
            _tour(where, _addresses(where), console)
        return
    supervisor = Supervisor(where, Options(http_port=port), lambda line: console.print(f"  {line}", style="dim"))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: supervisor.request_stop())
    started = time.monotonic()
    console.print(f"[bold]clonepost[/bold] starts in {where.folder}")
    try:
        supervisor.start()
        console.print(
            f"  ready after {time.monotonic() - started:.1f} s at {supervisor.addresses['http']}", style="green"
        )
        if demo:
            _tour(where, supervisor.addresses, console)
        console.print("  Ctrl-C stops everything.", style="dim")
        supervisor.watch()
    finally:
        supervisor.stop()


def down(home: HomeOption = None) -> None:
    """Stop the stack of this home. Its data stays.

    Example:  clonepost down --home /tmp/second
    """
    where = home_at(home)
    typer.echo(f"stopped {where.folder}" if stop_running(where) else f"nothing runs in {where.folder}")


def status(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show every process of the stack and the addresses. Exits with 3 when nothing runs.

    Example:  clonepost status --json
    """
    where = home_at(home)
    state = where.read()
    alive = state is not None and find_process(state.supervisor) is not None
    processes = state.processes if state is not None and alive else []
    addresses = state.addresses if state is not None and alive else {}
    if as_json:
        print_json({"processes": [process.shown() for process in processes], "addresses": addresses})
    elif not alive:
        typer.echo(f"nothing runs in {where.folder}; start it with `clonepost up`")
    else:
        table = Table("role", "pid", "state", "restarts")
        for process in processes:
            table.add_row(process.role, str(process.pid or "-"), process.state, str(process.restarts))
        console = Console()
        console.print(table)
        for name, address in addresses.items():
            console.print(f"{name:9} {address}", soft_wrap=True)
    if not alive:
        raise typer.Exit(3)


def _start_detached(home: Home, port: int | None, console: Console) -> None:
    home.logs.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "clonepost", "up", "--home", str(home.folder), "--no-demo"]
    if port is not None:
        command += ["--port", str(port)]
    log = home.logs / "supervisor.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, env=os.environ
        )
    until = time.monotonic() + _DETACH_SECONDS
    with console.status("starting"):
        while time.monotonic() < until:
            state = home.read()
            if state is not None and state.ready and state.supervisor.pid == process.pid:
                console.print(f"clonepost is up at {state.addresses['http']}")
                return
            if process.poll() is not None:
                raise ClonepostError(log.read_text("utf-8").strip().rpartition("\n")[2].removeprefix("clonepost: "))
            time.sleep(0.05)
    process.terminate()
    raise ClonepostError(f"the stack did not come up within {_DETACH_SECONDS:.0f} s; see {log}")


def _addresses(home: Home) -> dict[str, str]:
    state = home.read()
    return {} if state is None else state.addresses


def _tour(home: Home, addresses: dict[str, str], console: Console) -> None:
    from clonepost.demo.tour import tour

    tour(home, addresses, console)
