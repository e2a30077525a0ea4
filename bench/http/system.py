"""What is measured: servers of the run's own, and on them systems that share nothing but the machine."""

import json
import os
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, Final

import httpx
import psutil
from pydantic import SecretStr

from clonepost.localstack.child import Child
from clonepost.localstack.home import Home
from clonepost.localstack.launching import Launcher
from clonepost.localstack.ports import PortLeases
from clonepost.localstack.servers import start_kafka, start_postgres
from runtime.kafka_admin import KafkaAdmin
from runtime.settings import Settings
from schemas.topics import ALL_TOPICS, REQUESTS
from storage import keys, reference
from storage.admin import create_database
from storage.connection import Database
from storage.migrate import upgrade

_STOP_SECONDS: Final = 15.0
# The most that an organisation may have: no run comes near it.
_RUNNING_JOBS: Final = 1_000_000
_CREDIT: Final = 10**15


@dataclass(slots=True)
class Machine:
    """Kafka and Postgres of this run, and every process started on them, by name."""

    folder: Path
    kafka: str
    postgres: str
    launcher: Launcher
    ports: PortLeases
    children: dict[str, Child] = field(default_factory=dict)

    def start(self, name: str, arguments: list[str], environment: Mapping[str, str]) -> Child:
        """Start a Python process and wait for nothing. `CLONEPOST_*` and `KAFKA_*` of our own are not handed on."""
        inherited = {n: v for n, v in os.environ.items() if not n.startswith(("CLONEPOST_", "KAFKA_"))}
        child = Child(
            name,
            [sys.executable, *arguments],
            log=self.folder / "logs" / f"{name}.log",
            environment={**inherited, **environment},
        )
        self.launcher.launch(child)
        self.children[name] = child
        return child

    def cpu_seconds(self) -> dict[str, float]:
        """What each process has taken so far, those it started included."""
        return {name: _family_seconds(child) for name, child in self.children.items()}


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go, and as whom."""

    url: str
    project_id: str
    api_key: str


@contextmanager
def machine(folder: Path, say: Callable[[str], None]) -> Iterator[Machine]:
    """Servers of our own in `folder`; afterwards no process is left. Raises ClonepostError."""
    children: list[Child] = []
    with ExitStack() as stack:
        stack.callback(_stop, children)
        launcher = Launcher(children, Event(), lambda: None)
        ports = PortLeases()
        stack.callback(ports.release)
        home = Home(folder)
        postgres = start_postgres(home, {}, launcher, say)
        kafka = start_kafka(home, {}, launcher, ports, ports.take(()), say)
        found = Machine(folder, kafka, postgres, launcher, ports)
        found.children |= {child.state.role: child for child in children}
        yield found


def start_echo(machine: Machine) -> str:
    """The address of the bare echo."""
    port = machine.ports.take(())
    url = f"http://127.0.0.1:{port}"
    child = machine.start("echo", ["-m", "bench.http.echo", str(port)], {})
    machine.launcher.wait(lambda: _answers(f"{url}/"), "the echo", child)
    return url


class System:
    """One system with a topic prefix and a database of its own, and the roles that were asked for."""

    def __init__(self, machine: Machine, name: str, roles: list[str], *, reply_wait_ms: int) -> None:
        """Start it and return when its API takes the target's key. Raises ClonepostError."""
        create_database(machine.postgres, f"bench_{name}")
        database_url = machine.postgres.replace("/clonepost?", f"/bench_{name}?")
        upgrade(database_url)
        self._settings = Settings(
            # The servers end before the client does, which it would tell of.
            kafka={"bootstrap.servers": machine.kafka, "log_level": "0"},
            database_url=SecretStr(database_url),
            topic_prefix=f"{name}.",
        )
        self._admin = KafkaAdmin(self._settings)
        self._admin.create_topics(ALL_TOPICS)
        self._database = Database(database_url, application_name="clonepost-bench")
        port = machine.ports.take(())
        environment = {
            "DATABASE_URL": database_url,
            "KAFKA_BOOTSTRAP_SERVERS": machine.kafka,
            "CLONEPOST_TOPIC_PREFIX": f"{name}.",
            "CLONEPOST_HTTP_PORT": str(port),
            "CLONEPOST_RATE_LIMITS": "false",
            "CLONEPOST_REPLY_WAIT_MS": str(reply_wait_ms),
            "CLONEPOST_LOG_LEVEL": "info",
        }
        url = f"http://127.0.0.1:{port}"
        project_id, api_key = self._tenant()
        self.target = Target(url, project_id, api_key)
        children = {
            role: machine.start(f"{role}-{name}", ["-m", "clonepost", "run", role], environment) for role in roles
        }
        for path in ("/readyz", "/v1/whoami"):
            machine.launcher.wait(lambda path=path: _answers(url + path, api_key), "the API", children["api"])  # type: ignore[misc]

    def requests_logged(self) -> int:
        """Records in clone.requests."""
        topic = self._settings.topic_prefix + REQUESTS.name
        return sum(self._admin.end_offsets(topic).values())

    def requests_accepted(self) -> int:
        """Claims in the database."""
        with self._database.transaction() as connection:
            row = connection.execute("SELECT count(*) FROM claims").fetchone()
        assert row is not None
        return int(row[0])

    def close(self) -> None:
        """Close the connection; the processes end with the machine."""
        self._database.close()

    def _tenant(self) -> tuple[str, str]:
        org, project = uuid.uuid4(), str(uuid.uuid4())
        common = {"organizationId": str(org)}
        lines: list[dict[str, Any]] = [
            {"type": "organization", "id": str(org), "name": "Bench", "maxRunningJobs": _RUNNING_JOBS},
            {"type": "project", "id": project, "name": "Bench", "brand": {"name": "Bench"}, **common},
            {"type": "layer", "id": str(uuid.uuid4()), "projectId": project, "name": "Bench", "format": "video"},
            {"type": "source_post", "id": str(uuid.uuid4()), "platform": "tiktok", "externalId": "7301", **common}
            | {"format": "video"},
            {"type": "credit_grant", "id": str(uuid.uuid4()), "amount": _CREDIT, **common},
        ]
        with self._database.transaction() as connection:
            reference.import_lines(connection, [json.dumps(line) for line in lines])
            _, api_key = keys.create(connection, org, scopes=["*"], tier="partner", environment="bench")
        return project, api_key


def _answers(url: str, api_key: str = "") -> bool:
    try:
        return httpx.get(url, headers={"X-Api-Key": api_key}, timeout=2.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _family_seconds(child: Child) -> float:
    seconds = 0.0
    try:
        process = psutil.Process(child.state.pid)
        for member in (process, *process.children(recursive=True)):
            times = member.cpu_times()
            seconds += times.user + times.system
    except psutil.NoSuchProcess:
        # A database's helper that has just ended; its part is too small to miss.
        pass
    return seconds


def _stop(children: list[Child]) -> None:
    for child in reversed(children):
        child.ask_to_stop()
        child.await_stop(_STOP_SECONDS)
