"""Options that several commands share, and where a command finds the stack it talks to."""

import json
import os
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from clonepost.environment import quiet, settings_from
from clonepost.localstack.home import Home, StackState, home_at
from runtime.errors import ClonepostError
from runtime.settings import Settings

HomeOption = Annotated[
    Path | None, typer.Option("--home", help="The stack's folder; else CLONEPOST_HOME, else ~/.clonepost.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
EXAMPLE: Final = "Example:  "


def running_stack(home: Home) -> StackState | None:
    """The stack of this home, if it is up."""
    state = home.read()
    return state if state is not None and state.ready else None


def connect(home: Path | None) -> tuple[Settings, str]:
    """Settings and the database's URL: from the environment, else of the stack in the home. Raises ClonepostError."""
    return broker_of(home), database_of(home)


def broker_of(home: Path | None) -> Settings:
    """Settings with a broker: commands about topics need no database. Raises ClonepostError."""
    address = _address(home, "KAFKA_BOOTSTRAP_SERVERS", "kafka")
    return quiet(settings_from({**os.environ, "KAFKA_BOOTSTRAP_SERVERS": address}))


def database_of(home: Path | None) -> str:
    """The database's URL: commands about data need no broker. Raises ClonepostError."""
    return _address(home, "DATABASE_URL", "postgres")


def _address(home: Path | None, variable: str, name: str) -> str:
    where = home_at(home)
    state = running_stack(where)
    # A home that was named counts more than what happens to be in the environment.
    stack = state.addresses.get(name) if state is not None else None
    given = os.environ.get(variable)
    found = (stack or given) if home is not None else (given or stack)
    if not found:
        raise ClonepostError(
            f"no stack runs in {where.folder}: start one with `clonepost up`, name its folder with --home, or "
            f"set {variable}"
        )
    return found


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False, default=str))
