"""The command line on the test's own database, and a key ring as the API holds it."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.builders import Rows
from tests.reference.conftest import run

__all__ = ["run"]


@pytest.fixture
def rows(database_url: str) -> Iterator[Rows]:
    """Writes what the other processes write."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield Rows(connection)
