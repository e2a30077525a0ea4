"""One connection to Postgres per owner thread, reopened when it breaks, with driver errors made into ours."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg import errors as pg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow

from runtime.errors import ConstraintViolated, DatabaseUnavailable, Fatal

# A statement that waits longer than this waits for something dead. Retried by the caller, so cutting it loses nothing.
_PATIENCE: Final = "-c statement_timeout=30s -c lock_timeout=10s -c idle_in_transaction_session_timeout=60s"
# Every statement here finds its rows by an index. A plan made while a table was empty reads the whole table instead,
# and is kept with the prepared statement until the first ANALYZE, a minute later: measured as a twentieth of the speed
# on a fresh system. With these the plan is by index whatever the statistics say; by the right one, see `Database`.
_BY_INDEX: Final = "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off"
_OPTIONS: Final = f"{_PATIENCE} {_BY_INDEX} -c timezone=UTC"
_TAKEN_BACK: Final = (
    pg.DeadlockDetected,
    pg.SerializationFailure,
    pg.QueryCanceled,
    pg.LockNotAvailable,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.InternalError,
)

Connection = psycopg.Connection[TupleRow]


@contextmanager
def domain_errors() -> Iterator[None]:
    """Turn driver errors into `DatabaseUnavailable` or `ConstraintViolated`; let programming errors through."""
    try:
        yield
    except pg.UniqueViolation as error:
        raise ConstraintViolated(error.diag.constraint_name or "unnamed") from error
    except _TAKEN_BACK as error:
        raise DatabaseUnavailable(f"postgres: {type(error).__name__} ({error.sqlstate or 'no answer'})") from error


def checked(database_url: str) -> str:
    """The address as it is. Raises Fatal, without repeating it, when it has no form that Postgres knows."""
    try:
        conninfo_to_dict(database_url)
    except psycopg.ProgrammingError:
        # Its text quotes the address, and with it the password.
        raise Fatal(
            "DATABASE_URL is no address of a database: write it as postgresql://user:password@host:5432/name, with "
            "%-codes for special characters"
        ) from None
    return database_url


def connection_arguments(application_name: str) -> dict[str, Any]:
    """Arguments for psycopg that every connection of ours shares; a silent peer is noticed within about ten seconds."""
    return {
        "application_name": application_name,
        "connect_timeout": 5,
        "options": _OPTIONS,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
    }


class Database:
    """A lazily opened connection. Not thread-safe: one instance a thread."""

    def __init__(self, database_url: str, *, application_name: str, plan_seconds: float = 1.0) -> None:
        """Plans are made anew after `plan_seconds`, from the sizes that the tables have by then.

        Which of two indexes is the better one was otherwise decided, for a minute, by a table that was still empty: a
        batch then read every running job for each of its own. A new plan a second costs nothing that can be measured.

        Raises Fatal when the address is malformed. Nothing is opened yet.
        """
        self._database_url = checked(database_url)
        self._plan_seconds = plan_seconds
        self._planned_at = time.monotonic()
        self._arguments = connection_arguments(application_name)
        self._connection: Connection | None = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Yield a connection inside one transaction: committed on return, rolled back on any exception.

        Raises DatabaseUnavailable when Postgres does not answer (the outcome of the transaction is then unknown) and
        ConstraintViolated when another writer was faster.
        """
        with domain_errors():
            connection = self._open()
            try:
                if time.monotonic() - self._planned_at >= self._plan_seconds:
                    connection.execute("DISCARD PLANS")
                    self._planned_at = time.monotonic()
                with connection.transaction():
                    yield connection
            finally:
                if connection.broken:
                    connection.close()

    def close(self) -> None:
        """Close the connection; the next transaction opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> Connection:
        if self._connection is None or self._connection.closed:
            # Autocommit: `transaction()` sends BEGIN and COMMIT itself, so a read outside one cannot hold a snapshot.
            self._connection = psycopg.connect(self._database_url, autocommit=True, **self._arguments)
        return self._connection
