"""One API process for all tests of the room, and an organisation for each module: a key takes seconds to be known."""

import uuid
from collections.abc import Iterator

import httpx
import psycopg
import pytest

from runtime.settings import Settings
from storage.admin import create_database, drop_database
from tests.builders import Rows
from tests.conftest import test_settings
from tests.e2e.pipeline import Pipeline, Tenant
from tests.http.documented import hold
from tests.http.judge import Judge
from tests.servers import TEMPLATE, database_at
from tests.topics import make_topics


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each operation that Schemathesis asks for a name of its own; its plugin gives them the function's."""
    for item in items:
        if operation := getattr(item, "operation_label", None):
            item._id = item._id.with_params(operation)


@pytest.fixture(scope="package")
def system(kafka: str, postgres: str) -> Iterator[Settings]:
    """Topics and a database for the room's API processes."""
    name = f"http_{uuid.uuid4().hex[:12]}"
    create_database(postgres, name, template=TEMPLATE)
    settings = test_settings(kafka, database_at(postgres, name), f"h{uuid.uuid4().hex[:8]}.")
    make_topics(settings)
    yield settings
    drop_database(postgres, name)


@pytest.fixture(scope="package")
def judge(system: Settings) -> Iterator[Judge]:
    """Answers what the API asks."""
    judge = Judge(system)
    yield judge
    judge.close()


@pytest.fixture(scope="package")
def service(system: Settings, judge: Judge, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """The API process, with rate limits."""
    service = Pipeline(system, tmp_path_factory.mktemp("api"), {"CLONEPOST_RATE_LIMITS": "true"})
    try:
        service.start("api")
        yield service
    finally:
        service.close()


@pytest.fixture(scope="module")
def tenant(service: Pipeline) -> Tenant:
    """An organisation of the module's own, with a key for everything."""
    return service.tenant()


@pytest.fixture
def client(service: Pipeline, tenant: Tenant) -> Iterator[httpx.Client]:
    """An HTTP client with the tenant's key."""
    with service.client(tenant) as client:
        client.event_hooks = {"response": [hold]}
        yield client


@pytest.fixture
def stranger(service: Pipeline) -> Iterator[httpx.Client]:
    """An HTTP client without a key."""
    with httpx.Client(base_url=service.address, timeout=60, trust_env=False) as client:
        client.event_hooks = {"response": [hold]}
        yield client


@pytest.fixture
def rows(system: Settings) -> Iterator[Rows]:
    """Writes what the other processes write."""
    with psycopg.connect(system.database_url.get_secret_value(), autocommit=True) as connection:
        yield Rows(connection)
