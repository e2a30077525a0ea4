"""Fixtures of the project stage, on the database that every test has of its own."""

from collections.abc import Iterator

import psycopg
import pytest

from storage.connection import Database
from tests.projector.stage import Accepted, Stage


@pytest.fixture
def jobs(database_url: str) -> Iterator[Accepted]:
    """Jobs and questions to the tables, over a connection that the stage does not know of."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield Accepted(connection)


@pytest.fixture
def stage(database: Database) -> Stage:
    """The handler on the test's database, its outputs recorded."""
    return Stage(database)
