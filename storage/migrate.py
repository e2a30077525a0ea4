"""Bring a database to the schema of this release."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, make_url, text

_MIGRATIONS = Path(__file__).parent / "migrations"
# Any fixed number: two processes that migrate at once take turns. Never change.
_MIGRATION_LOCK = 4_722_366_482


def upgrade(database_url: str) -> None:
    """Apply every migration that the database lacks; do nothing where there is none.

    Safe to call from several processes at once. Raises `sqlalchemy.exc.OperationalError` when the database cannot be
    reached.
    """
    url = make_url(database_url).set(drivername="postgresql+psycopg")
    engine = create_engine(url, connect_args={"options": "-c lock_timeout=30000"})
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _MIGRATION_LOCK})
            connection.commit()
            config = Config()
            config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
    finally:
        engine.dispose()


def pending_migrations(database_url: str) -> list[str]:
    """The migrations that the database lacks, oldest first. Raises like `upgrade`."""
    engine = create_engine(make_url(database_url).set(drivername="postgresql+psycopg"))
    try:
        with engine.connect() as connection:
            done = MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()
    scripts = ScriptDirectory(str(_MIGRATIONS))
    return [script.revision for script in reversed(list(scripts.iterate_revisions("head", done)))]
