"""A broker and a database server of the test's own, to be killed and started again on their data."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from clonepost.localstack.child import Child
from clonepost.localstack.jars import class_path
from clonepost.localstack.kafka import KafkaServer
from clonepost.localstack.ports import free_port
from clonepost.localstack.postgres import PostgresServer
from runtime.errors import BrokerUnavailable
from runtime.kafka_admin import wait_until_ready
from runtime.settings import Settings
from storage.admin import answers, create_database
from storage.migrate import upgrade
from tests.awaiting import BOUND_SECONDS, eventually
from tests.kills.proxy import Proxy
from tests.servers import TEMPLATE, database_at


class OwnServer:
    """One server process."""

    def __init__(self, child: Child, prepare: Callable[[], None], ready: Callable[[], bool]) -> None:
        self._child = child
        self._prepare = prepare
        self._ready = ready

    def start(self) -> None:
        """Start it on its data; returns when it answers."""
        self._prepare()
        self._child.start()
        eventually(self._ready, what=f"{self._child.state.role} answers")

    def kill(self) -> None:
        """SIGKILL it alone; returns when whatever it had started has noticed."""
        process = psutil.Process(self._child.state.pid)
        children = process.children(recursive=True)
        os.kill(process.pid, signal.SIGKILL)
        self._child.await_stop(BOUND_SECONDS)
        _, alive = psutil.wait_procs(children, timeout=BOUND_SECONDS)
        assert not alive

    def freeze(self) -> None:
        """SIGSTOP it and all that it has started."""
        process = psutil.Process(self._child.state.pid)
        for one in (process, *process.children(recursive=True)):
            one.suspend()

    def thaw(self) -> None:
        """SIGCONT."""
        process = psutil.Process(self._child.state.pid)
        for one in (process, *process.children(recursive=True)):
            one.resume()

    def stop(self) -> None:
        """Stop it cleanly, at once."""
        self._child.ask_to_stop()
        self._child.await_stop(BOUND_SECONDS)


@dataclass(frozen=True, slots=True)
class OwnServers:
    """Both, and where they are. Clients reach the broker through the proxy."""

    kafka: OwnServer
    proxy: Proxy
    bootstrap_servers: str
    postgres: OwnServer
    postgres_url: str


@contextmanager
def own_servers(folder: Path) -> Iterator[OwnServers]:
    """Start them; the database server has the migrated template. `folder` is short, for the sake of a socket's path."""
    proxy_port = free_port()
    broker = KafkaServer(folder / "kafka", class_path=class_path(), port=free_port(), controller_port=free_port())
    broker.prepare()
    properties = folder / "kafka" / "server.properties"
    advertised = f"advertised.listeners=PLAINTEXT://127.0.0.1:{broker.port}"
    text = properties.read_text("utf-8")
    assert advertised in text
    properties.write_text(text.replace(advertised, f"advertised.listeners=PLAINTEXT://127.0.0.1:{proxy_port}"), "utf-8")
    bootstrap_servers = f"127.0.0.1:{proxy_port}"
    kafka = OwnServer(
        Child("kafka", broker.command(), log=folder / "kafka.log"),
        lambda: None,
        lambda: _broker_ready(bootstrap_servers),
    )
    database = PostgresServer(folder / "pg" / "data", folder / "pg" / "run")
    database.prepare()
    url = database.url("postgres")
    command = Child(
        "postgres", database.command(), log=folder / "pg.log", account=database.account, stop_signal=signal.SIGINT
    )
    postgres = OwnServer(command, database.prepare, lambda: answers(url))
    proxy = Proxy(proxy_port, broker.port)
    try:
        kafka.start()
        postgres.start()
        create_database(url, TEMPLATE)
        upgrade(database_at(url, TEMPLATE))
        yield OwnServers(kafka, proxy, bootstrap_servers, postgres, url)
    finally:
        postgres.stop()
        kafka.stop()
        proxy.close()


def _broker_ready(bootstrap_servers: str) -> bool:
    try:
        wait_until_ready(Settings(kafka={"bootstrap.servers": bootstrap_servers, "log_level": "0"}), timeout_seconds=5)
    except BrokerUnavailable:
        return False
    return True
