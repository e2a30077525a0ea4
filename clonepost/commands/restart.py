"""`clonepost restart`: every role of the stack, one process at a time, with no request lost."""

import os
import time
from typing import Final

import typer
from rich.console import Console

from clonepost.commands.options import HomeOption
from clonepost.commands.stack import NOTHING_RUNS
from clonepost.localstack.home import Home, StackState, find_process, home_at
from clonepost.localstack.supervisor import ROLL
from runtime.errors import ClonepostError

_LOOK_SECONDS: Final = 0.1


def restart(home: HomeOption = None) -> None:
    """Restart every role of the stack of this home, one process at a time, each ready before the next is stopped.

    Requests go on: the supervisor keeps the port open, and a process that stops answers what it has taken. Kafka and
    Postgres run on. New code is taken; settings are those that `clonepost up` was started with.

    Example:  clonepost restart --home /tmp/second
    """
    where = home_at(home)
    state = _supervised(where)
    if state is None or not state.ready:
        typer.echo(f"nothing runs in {where.folder}; start it with `clonepost up`")
        raise typer.Exit(NOTHING_RUNS)
    # One that is under way may be past the processes that this one is to restart.
    until = state.rolls + (2 if state.rolling else 1)
    os.kill(state.supervisor.pid or 0, ROLL)
    with Console(stderr=True).status("restarting") as status:
        while state.rolls < until:
            time.sleep(_LOOK_SECONDS)
            state = _supervised(where)
            if state is None:
                raise ClonepostError("the stack was stopped meanwhile")
            under_way = [f"{one.role} ({one.state})" for one in state.processes if one.state != "running"]
            status.update(f"restarting {', '.join(under_way)}")
    if state.roll_failure is not None:
        raise ClonepostError(state.roll_failure)
    typer.echo(f"restarted every role of {where.folder}")


def _supervised(home: Home) -> StackState | None:
    """The state of a stack that is supervised now."""
    state = home.read()
    return state if state is not None and find_process(state.supervisor) is not None else None
