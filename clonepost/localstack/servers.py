"""Bring up the database and the broker, ours or given ones, ready for the roles: migrated, with topics."""

import signal
import socket
from collections.abc import Callable, Mapping
from typing import Final

from clonepost.environment import quiet, settings_from
from clonepost.localstack.child import Child
from clonepost.localstack.home import Home
from clonepost.localstack.jars import class_path
from clonepost.localstack.kafka import KafkaServer
from clonepost.localstack.launching import Launcher
from clonepost.localstack.ports import PortLeases
from clonepost.localstack.postgres import PostgresServer
from runtime.errors import BrokerUnavailable
from runtime.kafka_admin import KafkaAdmin, wait_until_ready
from schemas.topics import ALL_TOPICS
from storage.admin import answers, create_database
from storage.migrate import upgrade

_PROBE_SECONDS: Final = 5.0

Say = Callable[[str], None]


def start_postgres(home: Home, environment: Mapping[str, str], launcher: Launcher, say: Say) -> str:
    """The address of a migrated database: DATABASE_URL if `environment` has it, else a server of our own."""
    given = environment.get("DATABASE_URL")
    if given:
        launcher.wait(lambda: answers(given), "the server at DATABASE_URL")
        upgrade(given)
        return given
    server = PostgresServer(home.postgres, home.socket_folder)
    server.prepare()
    child = Child(
        "postgres",
        server.command(),
        log=home.logs / "postgres.log",
        account=server.account,
        # "Stop now, cleanly": SIGTERM would wait for every client to leave.
        stop_signal=signal.SIGINT,
    )
    launcher.launch(child)
    launcher.wait(lambda: answers(server.url("postgres")), "Postgres", child)
    create_database(server.url("postgres"), "clonepost")
    upgrade(server.url())
    say("Postgres is up")
    return server.url()


def start_kafka(
    home: Home,
    environment: Mapping[str, str],
    launcher: Launcher,
    leases: PortLeases,
    port: int,
    say: Say,
    advertised: Mapping[int, int] | None = None,
) -> str:
    """The address of a broker that has our topics: KAFKA_BOOTSTRAP_SERVERS if `environment` has it, else our own.

    `advertised` are more listeners of our own (KafkaServer).
    """
    given = environment.get("KAFKA_BOOTSTRAP_SERVERS")
    child = None
    if not given:
        jars = class_path(lambda done, total: _say_download(done, total, say))
        controller_port = leases.take(())
        server = KafkaServer(
            home.kafka, class_path=jars, port=port, controller_port=controller_port, advertised=advertised
        )
        server.prepare()
        child = Child("kafka", server.command(), log=home.logs / "kafka.log")
        launcher.launch(child)
        launcher.wait(lambda: _port_open(port), "Kafka", child)
    bootstrap_servers = given or f"127.0.0.1:{port}"
    settings = quiet(settings_from({**environment, "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers}))

    def ready() -> bool:
        try:
            wait_until_ready(settings, timeout_seconds=_PROBE_SECONDS)
        except BrokerUnavailable:
            return False
        return True

    launcher.wait(ready, "Kafka" if child else "the broker at KAFKA_BOOTSTRAP_SERVERS", child)

    def has_topics() -> bool:
        try:
            KafkaAdmin(settings).create_topics(ALL_TOPICS)
        except BrokerUnavailable:
            # It has taken the request, and had no time to answer it: what is there is left as it is.
            return False
        return True

    launcher.wait(has_topics, "Kafka, asked for the topics,", child)
    say("Kafka is up")
    return bootstrap_servers


def _say_download(done: int, total: int, say: Say) -> None:
    if done < total and done % 10 == 0:
        say(f"fetching Kafka: {done} of {total} jars")


def _port_open(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
