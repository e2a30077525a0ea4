"""More questions than there are connections, and answers that take too long: refused in time, and never for good."""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from runtime.errors import DatabaseUnavailable
from storage.questions import Questions

pytestmark = pytest.mark.anyio

WAITS = "SELECT pg_advisory_lock(7)::text AS locked"


@pytest.fixture
def anyio_backend() -> str:
    """The event loop of the API."""
    return "asyncio"


def questions_of(database_url: str, *, connection_seconds: float, answer_seconds: float) -> Questions:
    return Questions(
        database_url,
        application_name="test",
        connections=1,
        connection_seconds=connection_seconds,
        answer_seconds=answer_seconds,
    )


@pytest.fixture
async def held(database_url: str) -> AsyncIterator[psycopg.AsyncConnection]:
    """A lock that WAITS waits for."""
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute("SELECT pg_advisory_lock(7)")
        yield connection


async def test_who_finds_no_connection_is_refused_and_the_one_before_is_answered(
    database_url: str, held: psycopg.AsyncConnection
) -> None:
    questions = questions_of(database_url, connection_seconds=0.1, answer_seconds=600)
    await questions.open()
    first = asyncio.create_task(questions.all(WAITS, {}))
    for _ in range(6_000):
        if await waiting(held):
            break
        await asyncio.sleep(0.01)
    with pytest.raises(DatabaseUnavailable):
        await questions.all("SELECT 1 AS one", {})
    await held.execute("SELECT pg_advisory_unlock(7)")
    assert len(await first) == 1
    await questions.close()


async def test_an_answer_that_takes_too_long_is_given_up_and_the_next_question_is_answered(
    database_url: str, held: psycopg.AsyncConnection
) -> None:
    questions = questions_of(database_url, connection_seconds=60, answer_seconds=5)
    await questions.open()
    assert await questions.all("SELECT 1 AS one", {}) == [{"one": 1}]
    with pytest.raises(DatabaseUnavailable, match="no answer within 5 s"):
        await questions.all(WAITS, {})
    await held.execute("SELECT pg_advisory_unlock(7)")
    assert await questions.all("SELECT 2 AS two", {}) == [{"two": 2}]
    await questions.close()


async def waiting(connection: psycopg.AsyncConnection) -> bool:
    rows = await connection.execute(
        "SELECT 1 FROM pg_stat_activity WHERE application_name = 'test' AND wait_event_type = 'Lock'"
        " AND datname = current_database()"
    )
    return await rows.fetchone() is not None
