"""The `clonepost` command: one module per group of commands, imported only when it is used."""

import sys
from typing import Any

import typer
from typer.core import TyperGroup

from runtime.errors import ClonepostError, Retryable

_COMMANDS = {
    "up": ("clonepost.commands.up", "up"),
    "down": ("clonepost.commands.stack", "down"),
    "restart": ("clonepost.commands.restart", "restart"),
    "status": ("clonepost.commands.stack", "status"),
    "run": ("clonepost.commands.run", "run"),
    "tail": ("clonepost.commands.tail", "tail"),
    "reference": ("clonepost.commands.reference", "app"),
    "keys": ("clonepost.commands.keys", "app"),
    "credits": ("clonepost.commands.credits", "app"),
    "dlq": ("clonepost.commands.dlq", "app"),
    "lag": ("clonepost.commands.lag", "lag"),
    "check": ("clonepost.commands.check", "check_system"),
    "doctor": ("clonepost.commands.doctor", "doctor"),
    "preview": ("clonepost.commands.preview", "preview"),
    "drill": ("clonepost.commands.drill", "drill"),
    "bench": ("clonepost.commands.bench", "app"),
    "fuzz": ("clonepost.commands.fuzz", "app"),
}


class _LazyGroup(TyperGroup):
    """Imports a command's module when the command is asked for: a role process must not pay for the others."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in _COMMANDS:
            return None
        from importlib import import_module

        module, name = _COMMANDS[cmd_name]
        found = getattr(import_module(module), name)
        if isinstance(found, typer.Typer):
            command: Any = typer.main.get_command(found)
        else:
            single = typer.Typer(add_completion=False, rich_markup_mode=None)
            single.command(name=cmd_name, epilog=getattr(found, "epilog", None))(found)
            command = typer.main.get_command(single)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=_LazyGroup,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Clone a top performer: from one POST to finished creatives, through Kafka and Postgres.",
)


@app.callback()
def _root() -> None:
    """Keeps the group a group."""


def main() -> None:
    """Run the command line. Expected failures end with one line that says what to do, and exit status 1."""
    try:
        app(prog_name="clonepost")
    except ClonepostError as error:
        sys.stderr.write(f"clonepost: {error}\n")
        if isinstance(error, Retryable):
            sys.stderr.write("Is it up, and is the address right? `clonepost doctor` tests each part.\n")
        raise SystemExit(1) from error
