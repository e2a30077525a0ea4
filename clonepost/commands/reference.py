"""`clonepost reference import | export`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from clonepost.commands.options import HomeOption, print_json
from clonepost.commands.tables import transaction
from runtime.errors import ClonepostError
from schemas.reference import TYPES, LineType
from storage import reference, reference_export

app = typer.Typer(
    help="Organisations, projects, layers, posts and credit grants, by file.\n\n"
    "Example:  clonepost reference import reference.jsonl",
    no_args_is_help=True,
    rich_markup_mode=None,
)


CsvOption = Annotated[
    LineType | None, typer.Option("--csv", help=f"CSV of one type instead of JSONL: {', '.join(TYPES)}.")
]


@app.command("import")
def import_(
    file: Annotated[str, typer.Argument(help="JSONL, one object a line; - is standard input.")],
    home: HomeOption = None,
    csv: CsvOption = None,
) -> None:
    """Upsert by id, all or nothing. Every bad line is named with its number, and nothing is written then.

    Example:  clonepost reference import partners.jsonl
    """
    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        text = content.decode("utf-8")
    except OSError as error:
        raise ClonepostError(f"cannot read {file}: {error.strerror}; name a file, or - for standard input") from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ClonepostError(f"line {line}: is not UTF-8; save the file as UTF-8. Nothing was imported") from error
    with transaction(home, "reference") as connection:
        if csv is None:
            counts = reference.import_lines(connection, text.split("\n"))
        else:
            counts = reference.import_csv(connection, text, csv)
    print_json({"imported": counts})


@app.command("export")
def export(home: HomeOption = None, csv: CsvOption = None) -> None:
    """Write all reference data as JSONL, or one type as CSV, in the import's format.

    Example:  clonepost reference export > backup.jsonl
    """
    with transaction(home, "reference") as connection:
        lines = (
            reference_export.export_lines(connection) if csv is None else reference_export.export_csv(connection, csv)
        )
        for line in lines:
            typer.echo(line)
