"""One broker and one database server a run; a database and a topic prefix of its own for each test.

Alone, pytest starts a server when the first test asks for it. With workers (`-n`) their controller starts both while
they collect the tests, and stops them after the last one. The tests are the same.
"""

import os
import signal
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from pydantic import SecretStr

from runtime.settings import Settings, kafka_client_settings
from storage.admin import create_database, drop_database
from storage.connection import Database
from tests.lanes import Lanes
from tests.servers import TEMPLATE, database_at, kafka_server, postgres_server
from tests.shared import Server, SharedServers, address_of
from tests.topics import make_topics

# The same examples in every run: what is red is red again. `--hypothesis-profile=default` looks for others.
hypothesis_settings.register_profile("fixed", derandomize=True, deadline=None)
hypothesis_settings.load_profile("fixed")

SHARED = pytest.StashKey[SharedServers]()


def pytest_configure(config: pytest.Config) -> None:
    """A SIGTERM ends the run like a Ctrl-C: with the servers stopped."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # A broker that lives for minutes does not win back what the second compiler takes: half of what its start costs.
    os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")
    if not hasattr(config, "workerinput") and config.getoption("numprocesses", None):
        config.stash[SHARED] = SharedServers({"kafka": kafka_server, "postgres": postgres_server})


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker where the addresses will be."""
    node.workerinput["shared_servers"] = str(node.config.stash[SHARED].folder)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Lanes | None:
    """How `--dist loadscope` deals out the modules."""
    return Lanes(config, log) if config.getoption("dist") == "loadscope" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest first, or one worker would end long after the others; the drill before all."""
    items.sort(key=lambda item: (item.get_closest_marker("slow") is None, "/drill/" not in item.nodeid))
    names = Counter(item.nodeid for item in items)
    if shared := [name for name, count in names.items() if count > 1]:
        # Workers are told names: they would run the first of each and pass the others over in silence.
        raise pytest.UsageError(f"several tests have one name: {', '.join(shared)}")


def pytest_unconfigure(config: pytest.Config) -> None:
    """The workers have ended by now."""
    if SHARED in config.stash:
        config.stash[SHARED].close()


@pytest.fixture(scope="session")
def kafka(pytestconfig: pytest.Config) -> Iterator[str]:
    """The bootstrap servers of a real broker."""
    with running("kafka", kafka_server, pytestconfig) as bootstrap_servers:
        yield bootstrap_servers


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> Iterator[str]:
    """The URL of a real server's maintenance database; it has a migrated template."""
    with running("postgres", postgres_server, pytestconfig) as url:
        yield url


@contextmanager
def running(name: str, server: Server, config: pytest.Config) -> Iterator[str]:
    """The server that all workers share, or one of our own."""
    if given := os.environ.get(f"CLONEPOST_TEST_{name.upper()}"):
        # A run inside a run (tests/planted) uses the servers of the outer one.
        yield given
        return
    worker: dict[str, Any] | None = getattr(config, "workerinput", None)
    if worker is not None:
        yield address_of(name, Path(worker["shared_servers"]))
    else:
        with tempfile.TemporaryDirectory(prefix="cp-") as folder, server(Path(folder)) as address:
            yield address


@pytest.fixture
def database_url(postgres: str) -> Iterator[str]:
    """A migrated, empty database of the test's own."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    create_database(postgres, name, template=TEMPLATE)
    yield database_at(postgres, name)
    drop_database(postgres, name)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A connection to the test's database."""
    database = Database(database_url, application_name="test")
    yield database
    database.close()


@pytest.fixture
def topic_prefix() -> str:
    """What the test's topics, groups and transactional ids begin with."""
    return f"t{uuid.uuid4().hex[:8]}."


@pytest.fixture
def settings(kafka: str, database_url: str, topic_prefix: str) -> Settings:
    """Settings of a process of the test's own system; its topics exist."""
    settings = test_settings(kafka, database_url, topic_prefix)
    make_topics(settings)
    return settings


def test_settings(bootstrap_servers: str, database_url: str, topic_prefix: str) -> Settings:
    """Settings as a role process would read them from its environment."""
    variables = {"KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers}
    return Settings(
        kafka=kafka_client_settings(variables), database_url=SecretStr(database_url), topic_prefix=topic_prefix
    )


test_settings.__test__ = False  # type: ignore[attr-defined]  # a function of the fixtures, not a test
