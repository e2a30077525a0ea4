"""Starts the stack in the right order, keeps it running, and takes it down without leaving anything behind."""

import fcntl
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import httpx
import psutil

from clonepost.localstack.child import Child, end_orphan, role_environment
from clonepost.localstack.home import (
    DEFAULT_HTTP_PORT,
    DEFAULT_KAFKA_PORT,
    Home,
    ProcessState,
    StackState,
    find_process,
    free_port,
)
from clonepost.localstack.jars import class_path
from clonepost.localstack.kafka import KafkaServer
from clonepost.localstack.postgres import PostgresServer
from clonepost.roles import ROLES, Role
from runtime.errors import ClonepostError
from runtime.kafka_admin import KafkaAdmin, wait_until_ready
from runtime.settings import Settings, kafka_client_settings
from schemas.topics import ALL_TOPICS
from storage.admin import answers, create_database
from storage.migrate import upgrade

_START_SECONDS: Final = 90.0
_ROLE_STOP_SECONDS: Final = 12.0
_SERVER_STOP_SECONDS: Final = 20.0
_CHECK_SECONDS: Final = 0.1

Say = Callable[[str], None]


class AlreadyRunning(ClonepostError):
    """Another supervisor holds this home."""


@dataclass(frozen=True, slots=True)
class Options:
    """What `clonepost up` was asked for. `environment` goes to every role, such as CLONEPOST_GENERATOR."""

    http_port: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


class Supervisor:
    """One stack. `start`, then `watch` until `stop`."""

    def __init__(self, home: Home, options: Options, say: Say) -> None:
        """`say` is given one line for each thing that a person wants to know."""
        self._home = home
        self._options = options
        self._say = say
        self._lock: IO[str] | None = None
        self._servers: list[Child] = []
        self._roles: list[Child] = []
        self._stopping = threading.Event()
        me = psutil.Process()
        self._state = StackState(ProcessState("supervisor", me.pid, "running", 0, me.create_time()))

    @property
    def addresses(self) -> dict[str, str]:
        """http, kafka and postgres, once `start` has returned."""
        return self._state.addresses

    def start(self) -> None:
        """Bring everything up and return when the API is ready. Raises ClonepostError; `stop` cleans up."""
        self._take_home()
        with ThreadPoolExecutor(2) as pool:
            postgres = pool.submit(self._start_postgres)
            kafka = pool.submit(self._start_kafka)
            database_url, bootstrap_servers = postgres.result(), kafka.result()
        http_port = self._options.http_port or free_port(DEFAULT_HTTP_PORT)
        self._state.addresses = {
            "http": f"http://127.0.0.1:{http_port}",
            "kafka": bootstrap_servers,
            "postgres": database_url,
        }
        environment = {
            **self._options.environment,
            "DATABASE_URL": database_url,
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
            "CLONEPOST_HTTP_PORT": str(http_port),
            "PYTHONUNBUFFERED": "1",
        }
        for role in ROLES:
            self._roles.append(self._new_role(role, environment))
        for child in self._roles:
            child.start()
        self._publish()
        self._say("the API and every consumer are starting")
        self._await(lambda: _http_ready(self.addresses["http"]), "the API", self._home.logs / "api.log")
        self._state.ready = True
        self._publish()

    def watch(self) -> None:
        """Restart what dies, until `request_stop`."""
        while not self._stopping.wait(_CHECK_SECONDS):
            changes = [change for child in (*self._servers, *self._roles) if (change := child.check())]
            for change in changes:
                self._say(change)
            if changes:
                self._publish()

    def request_stop(self) -> None:
        """End `watch` and any waiting in `start`. Safe from signal handlers."""
        self._stopping.set()

    def stop(self) -> None:
        """Roles first, so that nothing is half done, then the servers. Leaves no process."""
        self._stopping.set()
        for children, seconds in ((self._roles, _ROLE_STOP_SECONDS), (self._servers, _SERVER_STOP_SECONDS)):
            for child in children:
                child.ask_to_stop()
            until = time.monotonic() + seconds
            for child in children:
                child.await_stop(until - time.monotonic())
        if self._lock is not None:
            self._home.state_file.unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def _take_home(self) -> None:
        self._home.folder.mkdir(parents=True, exist_ok=True)
        lock = self._home.lock.open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise AlreadyRunning(
                f"a stack already runs in {self._home.folder}: use it, stop it with `clonepost down`, "
                "or start another with --home DIR"
            ) from None
        self._lock = lock
        earlier = self._home.read()
        if earlier is not None:
            # Its supervisor was killed: what it left would hold ports and data folders.
            for process in reversed(earlier.processes):
                end_orphan(process)
        self._publish()

    def _start_postgres(self) -> str:
        given = os.environ.get("DATABASE_URL")
        if given:
            upgrade(given)
            return given
        server = PostgresServer(self._home.folder / "postgres", self._home.socket_folder)
        server.prepare()
        child = Child(
            "postgres",
            server.command(),
            log=self._home.logs / "postgres.log",
            user=server.user,
            stop_signal=signal.SIGINT,
        )
        self._launch(child)
        self._await(lambda: answers(server.url("postgres")), "Postgres", self._home.logs / "postgres.log")
        create_database(server.url("postgres"), "clonepost")
        upgrade(server.url())
        self._say("Postgres is up")
        return server.url()

    def _start_kafka(self) -> str:
        given = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
        server = None if given else self._launch_kafka()
        bootstrap_servers = given or (server.bootstrap_servers if server else "")
        variables = {**os.environ, "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers}
        settings = Settings(kafka=kafka_client_settings(variables))
        if server is not None:
            log = self._home.logs / "kafka.log"
            self._await(lambda: _port_open(server.port), "Kafka", log)
        wait_until_ready(settings, timeout_seconds=_START_SECONDS)
        KafkaAdmin(settings).create_topics(ALL_TOPICS)
        self._say("Kafka is up")
        return bootstrap_servers

    def _launch_kafka(self) -> KafkaServer:
        path = class_path(self._say_download)
        server = KafkaServer(
            self._home.folder / "kafka",
            class_path=path,
            port=free_port(DEFAULT_KAFKA_PORT),
            controller_port=free_port(0),
        )
        server.prepare()
        self._launch(Child("kafka", server.command(), log=self._home.logs / "kafka.log"))
        return server

    def _launch(self, child: Child) -> None:
        if self._stopping.is_set():
            raise ClonepostError("stopped while starting")
        self._servers.append(child)
        child.start()
        self._publish()

    def _new_role(self, role: Role, environment: Mapping[str, str]) -> Child:
        return Child(
            role.name,
            [sys.executable, "-m", "clonepost", "run", role.name],
            log=self._home.logs / f"{role.name}.log",
            environment=role_environment({**environment, "CLONEPOST_INSTANCE": role.name}),
        )

    def _await(self, ready: Callable[[], bool], what: str, log: Path) -> None:
        until = time.monotonic() + _START_SECONDS
        while not ready():
            if self._stopping.is_set():
                raise ClonepostError("stopped while starting")
            for child in (*self._servers, *self._roles):
                child.check()
            if time.monotonic() > until:
                raise ClonepostError(f"{what} did not come up within {_START_SECONDS:.0f} s; its log is {log}")
            time.sleep(_CHECK_SECONDS / 2)

    def _say_download(self, done: int, total: int) -> None:
        if done < total and done % 10 == 0:
            self._say(f"fetching Kafka: {done} of {total} jars")

    def _publish(self) -> None:
        self._state.processes = [child.state for child in (*self._servers, *self._roles)]
        self._home.write(self._state)


def stop_running(home: Home, *, timeout_seconds: float = 60.0) -> bool:
    """Stop the stack of this home, orphans too. False when nothing ran."""
    state = home.read()
    if state is None:
        return False
    supervisor = find_process(state.supervisor)
    if supervisor is not None:
        supervisor.terminate()
        psutil.wait_procs([supervisor], timeout=timeout_seconds)
    left = [process for process in state.processes if find_process(process) is not None]
    for process in reversed(left):
        end_orphan(process)
    home.state_file.unlink(missing_ok=True)
    return supervisor is not None or bool(left)


def _port_open(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _http_ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz", timeout=2.0).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
