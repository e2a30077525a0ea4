"""A real broker and a real database server: in containers where a Docker engine answers, embedded elsewhere."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from clonepost.localstack.child import Child
from clonepost.localstack.jars import class_path
from clonepost.localstack.kafka import KafkaServer
from clonepost.localstack.ports import free_port
from clonepost.localstack.postgres import PostgresServer
from runtime.kafka_admin import wait_until_ready
from runtime.settings import Settings
from storage.admin import answers, create_database
from storage.migrate import upgrade
from tests.awaiting import eventually

TEMPLATE: Final = "template_clonepost"
# Several workers have pipelines of five processes each. Nobody kills this server, so nothing need survive that.
_POSTGRES: Final = ("max_connections=500", "fsync=off", "full_page_writes=off")
# Nobody kills this broker either. On a machine with no time to spare it may say nothing for longer than the stack's
# 3 s, and would be put out and let in again: every partition changes its leader, which no test has asked for.
_KAFKA: Final = ("--override", "broker.session.timeout.ms=60000")


@contextmanager
def kafka_server(folder: Path) -> Iterator[str]:
    """The bootstrap servers of a broker. `folder` is short: see `postgres_server`."""
    with _kafka_in_docker() if docker_answers() else embedded_kafka(folder / "kafka") as bootstrap_servers:
        yield bootstrap_servers


@contextmanager
def postgres_server(folder: Path) -> Iterator[str]:
    """The URL of a server's maintenance database; it has a migrated template.

    `folder` is short: a unix socket's path may have 107 bytes.
    """
    with _postgres_in_docker() if docker_answers() else embedded_postgres(folder / "pg") as url:
        create_database(url, TEMPLATE)
        upgrade(database_at(url, TEMPLATE))
        yield url


@contextmanager
def database_away(maintenance_url: str, database_url: str) -> Iterator[None]:
    """One database takes no connection, and those that it had are cut; the server's others notice nothing."""
    name = str(conninfo_to_dict(database_url)["dbname"])

    def allow(allowed: bool) -> None:
        with psycopg.connect(maintenance_url, autocommit=True) as connection:
            statement = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
            connection.execute(statement.format(sql.Identifier(name), sql.Literal(allowed)))
            if not allowed:
                connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))

    allow(False)
    try:
        yield
    finally:
        allow(True)


def docker_answers() -> bool:
    """Whether a Docker engine runs here."""
    docker = shutil.which("docker")
    return docker is not None and subprocess.run([docker, "info"], capture_output=True, check=False).returncode == 0


def database_at(url: str, name: str) -> str:
    """The URL of another database of the same server."""
    head, _, query = url.partition("?")
    return f"{head.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")


@contextmanager
def embedded_kafka(folder: Path) -> Iterator[str]:
    """A broker of the embedded stack."""
    server = KafkaServer(folder, class_path=class_path(), port=free_port(), controller_port=free_port())
    server.prepare()
    child = Child("kafka", [*server.command(), *_KAFKA], log=folder / "log")
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
    command = [*server.command(), *(part for setting in _POSTGRES for part in ("-c", setting))]
    child = Child("postgres", command, log=folder.parent / "pg.log", account=server.account)
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

    container = PostgresContainer("postgres:18", driver=None).with_command(" -c ".join(("postgres", *_POSTGRES)))
    with container:
        yield container.get_connection_url()
