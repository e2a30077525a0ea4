"""Fixtures of the dedup stage, on the database and the topics that every test has of its own."""

from collections.abc import Iterator

import psycopg
import pytest

from storage.connection import Database
from tests.dedup.stage import Stage
from tests.dedup.world import World


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """Reference data and questions to the tables, over a connection that the stage does not know of."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield World(connection)


@pytest.fixture
def stage(database: Database, world: World) -> Stage:
    """The handler on the test's database, its outputs recorded."""
    return Stage(database, world)
