"""The migrations make what `storage.tables` says: nothing more, nothing less, nothing else."""

import uuid
from collections.abc import Iterator
from typing import Any, Final

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, make_url, text

from storage.admin import create_database, drop_database
from storage.migrate import pending_migrations, upgrade
from storage.tables import metadata
from tests.servers import database_at

# What Postgres made of each side, in its own words. Alembic's comparison looks at no check constraint, no storage
# parameter, and not at what a partial index is for.
_CATALOG: Final = {
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version'""",
    "indexes": """
        SELECT tablename, indexname, indexdef FROM pg_indexes
        WHERE schemaname = 'public' AND tablename <> 'alembic_version'""",
    "columns": """
        SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull,
               pg_get_expr(adbin, adrelid)
        FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
             LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped
          AND relname <> 'alembic_version'""",
    "storage": """
        SELECT relname, unnest(reloptions) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'""",
}


def engine_of(url: str) -> Engine:
    return create_engine(make_url(url).set(drivername="postgresql+psycopg"))


def catalog(engine: Engine) -> dict[str, set[tuple[Any, ...]]]:
    with engine.connect() as connection:
        return {what: {tuple(row) for row in connection.execute(text(query))} for what, query in _CATALOG.items()}


@pytest.fixture
def migrated(database_url: str) -> Iterator[Engine]:
    engine = engine_of(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def declared(postgres: str) -> Iterator[Engine]:
    """A database that no migration has seen: made from the tables themselves."""
    name = f"declared_{uuid.uuid4().hex[:12]}"
    create_database(postgres, name)
    engine = engine_of(database_at(postgres, name))
    metadata.create_all(engine)
    yield engine
    engine.dispose()
    drop_database(postgres, name)


def test_alembic_finds_no_difference(migrated: Engine) -> None:
    with migrated.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


@pytest.mark.parametrize("what", _CATALOG)
def test_both_ways_give_the_same_catalog(migrated: Engine, declared: Engine, what: str) -> None:
    by_migration, by_declaration = catalog(migrated)[what], catalog(declared)[what]
    assert by_declaration, "nothing was compared"
    assert by_migration - by_declaration == set(), "only a migration makes these"
    assert by_declaration - by_migration == set(), "no migration makes these"


@pytest.mark.parametrize(
    ("what", "statement"),
    [
        ("constraints", "ALTER TABLE wallets DROP CONSTRAINT wallets_never_negative_check"),
        ("constraints", "ALTER TABLE cancellations DROP CONSTRAINT cancellations_job_id_fkey"),
        ("indexes", "DROP INDEX jobs_running_idx; CREATE INDEX jobs_running_idx ON jobs (accepted_at)"),
        ("columns", "ALTER TABLE claims ALTER variations TYPE integer"),
        ("columns", "ALTER TABLE wallets ALTER available DROP DEFAULT"),
        ("storage", "ALTER TABLE wallets RESET (fillfactor)"),
    ],
)
def test_a_drift_is_seen(migrated: Engine, declared: Engine, what: str, statement: str) -> None:
    with migrated.begin() as connection:
        for part in statement.split(";"):
            connection.execute(text(part))
    assert catalog(migrated)[what] != catalog(declared)[what]


def test_the_migrations_are_one_line_and_applying_them_again_does_nothing(database_url: str) -> None:
    assert len(ScriptDirectory("storage/migrations").get_heads()) == 1
    assert pending_migrations(database_url) == []
    upgrade(database_url)
    assert pending_migrations(database_url) == []
