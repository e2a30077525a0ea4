"""`clonepost up`: the whole stack on this machine, in the foreground or behind."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from clonepost.commands.options import HomeOption
from clonepost.localstack.home import Home, home_at
from clonepost.localstack.supervisor import ROLL, Options, Supervisor
from clonepost.signals import hear
from runtime.errors import ClonepostError

_DETACH_SECONDS: Final = 180.0
_STOP_SECONDS: Final = 40.0


def up(
    home: HomeOption = None,
    port: Annotated[
        int | None,
        typer.Option("--port", envvar="CLONEPOST_HTTP_PORT", help="The API's port; else 8080, or a free one."),
    ] = None,
    api_processes: Annotated[
        int,
        typer.Option(
            "--api-processes", envvar="CLONEPOST_API_PROCESSES", min=1, max=64, help="API processes behind the port."
        ),
    ] = 1,
    demo: Annotated[bool, typer.Option("--demo/--no-demo", help="Import demo data and show one clone.")] = True,
    detach: Annotated[bool, typer.Option("--detach", help="Return when ready; `clonepost down` stops it.")] = False,
) -> None:
    """Start Kafka, Postgres, the API and every consumer, show one clone, and stay up until Ctrl-C.

    With DATABASE_URL or KAFKA_BOOTSTRAP_SERVERS set, that one is used instead of a local server.

    Example:  clonepost up --home /tmp/second --port 8081 --no-demo
    """
    console = Console()
    where = home_at(home)
    if detach:
        _start_detached(where, port, api_processes, console)
        if demo:
            _tour(where, _addresses(where), console)
    else:
        _run_in_foreground(where, Options(dict(os.environ), port, api_processes), demo=demo, console=console)


def _run_in_foreground(home: Home, options: Options, *, demo: bool, console: Console) -> None:
    supervisor = Supervisor(home, options, lambda line: console.print(f"  {line}", style="dim"))
    touring = False

    def interrupt(_number: int, _frame: object) -> None:
        nonlocal touring
        if touring:
            # Once: another one must not meet what this one has begun.
            touring = False
            raise KeyboardInterrupt

    ends = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    hear(ends, supervisor.request_stop)
    for number in ends:
        signal.signal(number, interrupt)
    signal.signal(ROLL, lambda _number, _frame: supervisor.request_roll())
    started = time.monotonic()
    console.print(f"[bold]clonepost[/bold] starts in {home.folder}")
    with ThreadPoolExecutor(1) as pool:
        try:
            with console.status("starting"):
                supervisor.start()
            console.print(
                f"  ready after {time.monotonic() - started:.1f} s at {supervisor.addresses['http']}", style="green"
            )
            watching = pool.submit(supervisor.watch)
            if demo:
                touring = True
                _tour(home, supervisor.addresses, console)
                touring = False
            console.print("  Ctrl-C stops everything.", style="dim")
            watching.result()
        except KeyboardInterrupt:
            # Somebody did not want to see the end of the tour.
            pass
        finally:
            touring = False
            with console.status("stopping"):
                supervisor.stop()
    console.print("  stopped; the data stays", style="dim")


def _start_detached(home: Home, port: int | None, api_processes: int, console: Console) -> None:
    home.logs.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "clonepost", "up", "--home", str(home.folder), "--no-demo"]
    command += ["--api-processes", str(api_processes)]
    if port is not None:
        command += ["--port", str(port)]
    log = home.logs / "supervisor.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _await_ready(home, process, log, console)
    except BaseException:
        # Ctrl-C, too: what did not come up must not go on in the dark.
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
        raise


def _await_ready(home: Home, process: "subprocess.Popen[bytes]", log: Path, console: Console) -> None:
    until = time.monotonic() + _DETACH_SECONDS
    with console.status("starting") as status:
        while time.monotonic() < until:
            state = home.read()
            if state is not None and state.ready and state.supervisor.pid == process.pid:
                console.print(f"clonepost is up at {state.addresses['http']}; `clonepost down` stops it")
                return
            said = log.read_text("utf-8").strip().rpartition("\n")[2].strip()
            if process.poll() is not None:
                raise ClonepostError(said.removeprefix("clonepost: ") or f"it ended at once; see {log}")
            status.update(f"starting: {said}")
            time.sleep(0.05)
    raise ClonepostError(f"the stack did not come up within {_DETACH_SECONDS:.0f} s; see {log}")


def _addresses(home: Home) -> dict[str, str]:
    state = home.read()
    return {} if state is None else state.addresses


def _tour(home: Home, addresses: dict[str, str], console: Console) -> None:
    from clonepost.demo.tour import tour

    tour(home, addresses, console)
