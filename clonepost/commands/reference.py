"""`clonepost reference import | export`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from clonepost.commands.options import HomeOption, database_of, print_json
from runtime.errors import ClonepostError
from schemas.reference import TYPES
from storage import reference
from storage.connection import Database

app = typer.Typer(
    help="Organisations, projects, layers, posts and credit grants, by file.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("import")
def import_(
    file: Annotated[str, typer.Argument(help="JSONL, one object a line; - is standard input.")],
    home: HomeOption = None,
    csv: Annotated[str | None, typer.Option("--csv", help=f"The file is CSV of: {', '.join(TYPES)}.")] = None,
) -> None:
    """Upsert by id, all or nothing. A bad line is named and nothing is written.

    Example:  clonepost reference import partners.jsonl
    """
    if csv is not None and csv not in TYPES:
        raise ClonepostError(f"--csv must be one of {', '.join(TYPES)}")
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ClonepostError(f"cannot read {file}: {error}") from error
    database_url = database_of(home)
    with Database(database_url, application_name="clonepost-reference").transaction() as connection:
        if csv is None:
            counts = reference.import_lines(connection, text.split("\n"))
        else:
            counts = reference.import_csv(connection, text, csv)
    print_json({"imported": counts})


@app.command("export")
def export(home: HomeOption = None) -> None:
    """Write all reference data as JSONL, in the import's format.

    Example:  clonepost reference export > backup.jsonl
    """
    database_url = database_of(home)
    with Database(database_url, application_name="clonepost-reference").transaction() as connection:
        for line in reference.export_lines(connection):
            typer.echo(line)
