"""Statements asked from an event loop, each answered within a bound, be Postgres well, down or frozen."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from runtime.errors import DatabaseUnavailable
from storage.connection import checked, connection_arguments, domain_errors

Row = dict[str, Any]


class Questions:
    """A small pool of connections, and one statement at a time on each. Rows are dictionaries."""

    def __init__(
        self,
        database_url: str,
        *,
        application_name: str,
        connections: int,
        connection_seconds: float,
        answer_seconds: float,
    ) -> None:
        """A connection is waited for and an answer is waited for, so long. Nothing is opened before `open`.

        Raises Fatal when the address is malformed.
        """
        self._answer_seconds = answer_seconds
        self._pool: AsyncConnectionPool[psycopg.AsyncConnection[Row]] = AsyncConnectionPool(
            checked(database_url),
            kwargs={**connection_arguments(application_name), "autocommit": True, "row_factory": dict_row},
            min_size=1,
            max_size=connections,
            timeout=connection_seconds,
            reconnect_timeout=5,
            open=False,
            check=AsyncConnectionPool.check_connection,
        )
        self._asking: set[asyncio.Task[list[Row]]] = set()

    async def open(self) -> None:
        """Start connecting, without waiting for it."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close the pool."""
        await self._pool.close()

    async def all(self, statement: str, parameters: Row) -> list[Row]:
        """Every row of the answer. Raises DatabaseUnavailable when there is none in time."""
        # A task of its own, since psycopg takes up to ten seconds to give up a statement on a server that is frozen:
        # the caller is answered in time, and the task goes on giving up.
        task = asyncio.create_task(self._ask(statement, parameters))
        self._asking.add(task)
        task.add_done_callback(self._forget)
        try:
            done, _ = await asyncio.wait([task], timeout=self._answer_seconds)
        finally:
            task.cancel()
        if not done:
            raise DatabaseUnavailable(f"postgres: no answer within {self._answer_seconds:g} s")
        return task.result()

    async def _ask(self, statement: str, parameters: Row) -> list[Row]:
        async with self._connection() as connection:
            cursor = await connection.execute(statement, parameters)
            rows: list[Row] = await cursor.fetchall()
            return rows

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[psycopg.AsyncConnection[Row]]:
        # A pool that has no connection in time raises an OperationalError too.
        with domain_errors():
            async with self._pool.connection() as connection:
                yield connection

    def _forget(self, task: asyncio.Task[list[Row]]) -> None:
        self._asking.discard(task)
        if not task.cancelled():
            # Looked at, so that an answer nobody waits for any more is not reported as lost.
            task.exception()
