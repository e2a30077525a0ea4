"""Fixtures of the generation stage, on the database that every test has of its own."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from consumers.generation.generators import Generator
from consumers.generation.pool import Pool
from storage.connection import Database
from tests.dedup.stage import Recorder
from tests.generation.world import Jobs

NewPool = Callable[..., Pool]


@pytest.fixture
def jobs(database_url: str) -> Iterator[Jobs]:
    """Jobs and questions to the tables, over a connection that the stage does not know of."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield Jobs(connection)


@pytest.fixture
def worker_id() -> uuid.UUID:
    """A process that leases."""
    return uuid.uuid4()


@pytest.fixture
def recorder() -> Recorder:
    """Keeps what is published."""
    return Recorder()


@pytest.fixture
def deaths() -> list[str]:
    """The threads that died; a test that expects one clears it."""
    return []


@pytest.fixture
def new_pool(database_url: str, recorder: Recorder, deaths: list[str]) -> Iterator[NewPool]:
    """Makes pools on the test's database, and stops those that the test has started."""
    pools: list[Pool] = []

    def new(generator: Generator, *, start: bool = True, **changes: Any) -> Pool:
        settings: dict[str, Any] = {"concurrency": 4, "lease_seconds": 30.0, "topic_prefix": "", **changes}
        publisher = settings.pop("publisher", recorder)
        pool = Pool(
            generator,
            lambda: Database(database_url, application_name="test-pool"),
            publisher,
            on_death=deaths.append,
            **settings,
        )
        if start:
            pool.start()
            pools.append(pool)
        return pool

    yield new
    for pool in pools:
        pool.stop()
    assert not deaths
