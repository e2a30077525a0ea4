"""One real registry a session, and a gate before it for each test."""

from collections.abc import Iterator

import pytest

from runtime.settings import Settings, schema_registry_settings
from tests.registry.apicurio import Apicurio, running
from tests.registry.gate import Gate, opened


@pytest.fixture(scope="session")
def apicurio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apicurio]:
    """A registry that serves; what tests register stays in it."""
    with running(tmp_path_factory.mktemp("apicurio")) as registry:
        yield registry


@pytest.fixture
def gate(apicurio: Apicurio) -> Iterator[Gate]:
    """The way to the registry, which can be closed."""
    with opened(apicurio.url) as gate:
        yield gate


def with_registry(url: str, **variables: str) -> Settings:
    """Settings that name a registry, as a process would read them from its environment."""
    return Settings(kafka={}, schema_registry=schema_registry_settings({"SCHEMA_REGISTRY_URL": url, **variables}))
