"""Options that several commands share, and where a command finds the stack it talks to."""

import json
import os
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from clonepost.environment import settings_from
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
    state = running_stack(home_at(home))
    addresses = state.addresses if state else {}
    database_url = os.environ.get("DATABASE_URL") or addresses.get("postgres")
    bootstrap_servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS") or addresses.get("kafka")
    if not database_url or not bootstrap_servers:
        raise ClonepostError(
            f"no stack runs in {home_at(home).folder}: start one with `clonepost up`, name its folder with --home, or "
            "set DATABASE_URL and KAFKA_BOOTSTRAP_SERVERS"
        )
    variables = {**os.environ, "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers}
    return settings_from(variables), database_url


def database_of(home: Path | None) -> str:
    """The database's URL alone: commands about data need no broker. Raises ClonepostError."""
    return os.environ.get("DATABASE_URL") or connect(home)[1]


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False, default=str))
