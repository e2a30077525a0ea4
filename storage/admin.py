"""Servers rather than tables: is Postgres there, and does it have our database."""

import psycopg
from psycopg import sql

from storage.connection import checked, domain_errors


def answers(database_url: str) -> bool:
    """Whether a server answers at that address now. Raises Fatal when it is malformed."""
    try:
        with psycopg.connect(checked(database_url), connect_timeout=1):
            return True
    except psycopg.OperationalError:
        return False


def create_database(maintenance_url: str, name: str, *, template: str | None = None) -> None:
    """Make a database if it is missing, as a copy of `template` where one is given. Raises DatabaseUnavailable."""
    with domain_errors(), psycopg.connect(maintenance_url, autocommit=True) as connection:
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).rowcount:
            return
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template is not None:
            # Copying files beats replaying them for a small template.
            statement += sql.SQL(" TEMPLATE {} STRATEGY FILE_COPY").format(sql.Identifier(template))
        connection.execute(statement)


def drop_database(maintenance_url: str, name: str) -> None:
    """Remove a database and whoever is connected to it. Raises DatabaseUnavailable."""
    with domain_errors(), psycopg.connect(maintenance_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
