"""One broker and one database server a session; a database and a topic prefix of its own for each test.

Where a Docker engine answers, testcontainers starts them; elsewhere the embedded stack does. The tests are the same.
"""

import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from clonepost.localstack.child import Child
from clonepost.localstack.jars import class_path
from clonepost.localstack.kafka import KafkaServer
from clonepost.localstack.ports import free_port
from clonepost.localstack.postgres import PostgresServer
from runtime.kafka_admin import KafkaAdmin, wait_until_ready
from runtime.settings import Settings, kafka_client_settings
from schemas.topics import ALL_TOPICS
from storage.admin import answers, create_database, drop_database
from storage.connection import Database
from storage.migrate import upgrade
from tests.awaiting import eventually

TEMPLATE = "template_clonepost"


def pytest_configure() -> None:
    """A SIGTERM ends the session like a Ctrl-C: with the servers stopped."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def docker_answers() -> bool:
    """Whether a Docker engine runs here."""
    docker = shutil.which("docker")
    return docker is not None and subprocess.run([docker, "info"], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="session")
def stack_folder() -> Iterator[Path]:
    """A short folder: a unix socket's path may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="cp-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def kafka(stack_folder: Path) -> Iterator[str]:
    """The bootstrap servers of a real broker."""
    broker = _kafka_in_docker() if docker_answers() else embedded_kafka(stack_folder / "kafka")
    with broker as bootstrap_servers:
        yield bootstrap_servers


@pytest.fixture(scope="session")
def postgres(stack_folder: Path) -> Iterator[str]:
    """The URL of a real server's maintenance database; it has a migrated template."""
    server = _postgres_in_docker() if docker_answers() else embedded_postgres(stack_folder / "pg")
    with server as url:
        create_database(url, TEMPLATE)
        upgrade(database_at(url, TEMPLATE))
        yield url


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
    KafkaAdmin(settings).create_topics(ALL_TOPICS)
    return settings


def test_settings(bootstrap_servers: str, database_url: str, topic_prefix: str) -> Settings:
    """Settings as a role process would read them from its environment."""
    variables = {"KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers}
    return Settings(
        kafka=kafka_client_settings(variables), database_url=SecretStr(database_url), topic_prefix=topic_prefix
    )


test_settings.__test__ = False  # type: ignore[attr-defined]  # a function of the fixtures, not a test


@contextmanager
def embedded_kafka(folder: Path) -> Iterator[str]:
    """A broker of the embedded stack."""
    server = KafkaServer(folder, class_path=class_path(), port=free_port(), controller_port=free_port())
    server.prepare()
    child = Child("kafka", server.command(), log=folder / "log")
    child.start()
    try:
        probe = Settings(kafka={"bootstrap.servers": server.bootstrap_servers, "log_level": "0"})
        wait_until_ready(probe, timeout_seconds=60)
        yield server.bootstrap_servers
    finally:
        child.ask_to_stop()
        child.await_stop(5)


@contextmanager
def embedded_postgres(folder: Path) -> Iterator[str]:
    """A Postgres server of the embedded stack."""
    server = PostgresServer(folder / "data", folder / "run")
    server.prepare()
    child = Child("postgres", server.command(), log=folder.parent / "pg.log", account=server.account)
    child.start()
    try:
        url = server.url("postgres")
        eventually(lambda: answers(url), what="Postgres answers")
        yield url
    finally:
        child.ask_to_stop()
        child.await_stop(5)


@contextmanager
def _kafka_in_docker() -> Iterator[str]:
    from testcontainers.kafka import KafkaContainer

    with KafkaContainer().with_kraft() as container:
        yield container.get_bootstrap_server()


@contextmanager
def _postgres_in_docker() -> Iterator[str]:
    from testcontainers.postgres import PostgresContainer

    with PostgresContainer("postgres:18", driver=None) as container:
        yield container.get_connection_url()


def database_at(url: str, name: str) -> str:
    head, _, query = url.partition("?")
    return f"{head.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")
