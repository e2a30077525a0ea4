"""One transaction for a command that works on tables."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from clonepost.commands.options import database_of
from storage.connection import Connection, Database


@contextmanager
def transaction(home: Path | None, command: str) -> Iterator[Connection]:
    """A transaction on the stack's database: committed on return, rolled back on any error, its connection closed.

    Raises ClonepostError when there is no database.
    """
    with (
        closing(Database(database_of(home), application_name=f"clonepost-{command}")) as database,
        database.transaction() as connection,
    ):
        yield connection
