"""The drill's own stack: servers with a proxy in every connection, and two processes of each role, tended."""

import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from bench.checker import System
from bench.drill.disks import Disk, NoDisk
from bench.drill.ends import Ends
from bench.drill.faults import LINKS, PROCESSES, SERVERS
from bench.drill.links import Link, Links, Upstream
from bench.drill.members import Member
from bench.drill.protocols import CommitWatch, EndTxnWatch
from clonepost.localstack.child import Child
from clonepost.localstack.home import Home
from clonepost.localstack.launching import Launcher
from clonepost.localstack.notices import Notices
from clonepost.localstack.ports import PortLeases
from clonepost.localstack.servers import Say, start_kafka, start_postgres
from clonepost.roles import BY_NAME
from runtime.errors import ClonepostError

_TEND_SECONDS: Final = 0.05
_RESTART_SECONDS: Final = 1.0
_STOP_SECONDS: Final = 12.0
_READY_SECONDS: Final = 180.0
_DATABASE: Final = "clonepost"

PACE: Final[Mapping[str, str]] = {
    # Leases and sweeps at a pace at which a drill sees many of them; everything else is as in production.
    "CLONEPOST_LEASE_SECONDS": "5",
    "CLONEPOST_SWEEP_SECONDS": "0.5",
    # A provider that hangs holds its place for 9 s: with the usual 8 there would soon be none left.
    "CLONEPOST_GENERATE_CONCURRENCY": "24",
    "CLONEPOST_GENERATOR": "scripted",
    "CLONEPOST_RATE_LIMITS": "false",
    "CLONEPOST_LOG_FORMAT": "json",
    "PYTHONUNBUFFERED": "1",
}


@dataclass(frozen=True, slots=True)
class _DrillHome(Home):
    """A home whose servers keep their data on disks of their own."""

    def disk(self, server: str) -> Path:
        return self.folder / "disks" / server

    @property
    def kafka(self) -> Path:
        return self.disk("kafka") / "data"

    @property
    def postgres(self) -> Path:
        return self.disk("postgres") / "data"


class Stack:
    """Servers, links and role processes. One thread tends them; whoever touches a member holds `turn`."""

    def __init__(self, folder: Path, say: Say) -> None:
        self.home: Final = _DrillHome(folder)
        self.links: Final = Links()
        self.turn: Final = threading.RLock()
        self.members: Final[dict[str, Member]] = {}
        self.disks: Final[dict[str, Disk]] = {}
        self.deaths: Final[Counter[str]] = Counter()
        """How processes ended: `dedup SIGKILL`, `kafka 1`."""
        self.notices: Final = Notices(self.home.socket_folder)
        """Which role processes have said that they are ready. For one thread alone."""
        self.slow_stops: Final[Counter[str]] = Counter()
        self.ends: Final = Ends()
        """Of role processes: those of their own accord, and those that had to be made."""
        self.hurry: Final = threading.Event()
        """Set: `stop` waits for nobody."""
        self._say = say
        self._servers: list[Child] = []
        self._ports = PortLeases()
        self._over = threading.Event()
        self._tending = threading.Thread(target=self._tend, name="tend", daemon=True)
        self._failure: BaseException | None = None
        self._database_url = ""
        self._kafka_port = 0

    @property
    def deadlocks(self) -> int:
        """How many the database has resolved, by its log: its own counters do not survive a crash."""
        logs = self.home.logs.glob("postgres*.log")
        return sum(log.read_text("utf-8", "replace").count("deadlock detected") for log in logs)

    @property
    def database_url(self) -> str:
        """The database, past every proxy."""
        return self._database_url

    @property
    def bootstrap_servers(self) -> str:
        """The broker, past every proxy."""
        return f"127.0.0.1:{self._kafka_port}"

    @property
    def system(self) -> System:
        """For the checker, past every proxy."""
        return System({"bootstrap.servers": self.bootstrap_servers, "log_level": "0"}, self._database_url)

    @property
    def urls(self) -> list[str]:
        """The API processes, each behind its proxy."""
        return [f"http://127.0.0.1:{link.port}" for name, link in self.links.by_name.items() if name[:8] == "partners"]

    def start_servers(self) -> None:
        """Broker and database, ready for the roles. Says so where disks cannot be made full."""
        self.home.logs.mkdir(parents=True, exist_ok=True)
        for server in SERVERS:
            disk = Disk(self.home.disk(server))
            try:
                disk.mount()
            except NoDisk as error:
                self._say(f"SKIPPED: {server}'s disk will never be full, for nothing can be mounted here: {error}")
            else:
                self.disks[server] = disk
        launcher = Launcher(self._servers, self._over, lambda: None)
        self._database_url = start_postgres(self.home, {}, launcher, self._say)
        self._kafka_port = self._ports.take(())
        roles = [name.partition(":")[0] for name in LINKS if name.endswith(":kafka")]
        advertised = {self._ports.take(()): self._ports.take(()) for _ in roles}
        start_kafka(self.home, {}, launcher, self._ports, self._kafka_port, self._say, advertised)
        for child in self._servers:
            child.max_restart_seconds = _RESTART_SECONDS
            self.members[child.state.role] = Member(child.state.role, child)
        for role, (port, proxy) in zip(roles, advertised.items(), strict=True):
            self.links.open(Link(f"{role}:kafka", proxy, Upstream(port=port), EndTxnWatch if role == "relay" else None))
            socket = Upstream(path=str(self.home.socket_folder / ".s.PGSQL.5432"))
            self.links.open(Link(f"{role}:postgres", self._ports.take(()), socket, CommitWatch))

    def start_roles(self) -> None:
        """Every role process; returns when both API processes are ready. From now on what dies is started again."""
        for name, role in PROCESSES.items():
            environment = {
                **{key: value for key, value in os.environ.items() if not key.startswith(("CLONEPOST_", "KAFKA_"))},
                **PACE,
                "CLONEPOST_INSTANCE": name,
                "NOTIFY_SOCKET": str(self.notices.address),
                "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{self.links.by_name[f'{role}:kafka'].port}",
                "DATABASE_URL": self._role_url(role),
            }
            if BY_NAME[role].ready_path is not None:
                port = self._ports.take(())
                environment["CLONEPOST_HTTP_PORT"] = str(port)
                self.links.open(Link(f"partners:{name}", self._ports.take(()), Upstream(port=port)))
            command = [sys.executable, "-m", "clonepost", *BY_NAME[role].arguments]
            child = Child(role, command, log=self.home.logs / f"{name}.log", environment=environment)
            child.max_restart_seconds = _RESTART_SECONDS
            child.start()
            self.members[name] = Member(name, child)
        self._tending.start()
        self.await_ready()

    def await_ready(self) -> None:
        """Wait until both API processes are ready. Raises ClonepostError when that takes more than three minutes."""
        until = time.monotonic() + _READY_SECONDS
        for url in self.urls:
            while not _ready(url):
                if time.monotonic() > until:
                    raise ClonepostError(f"the API at {url} did not become ready; the logs are in {self.home.logs}")
                time.sleep(_TEND_SECONDS)

    def heal(self) -> None:
        """End every fault: links pass, disks have room, the frozen go on, the absent come back, nothing is armed."""
        self.links.heal()
        for disk in self.disks.values():
            disk.free()
        with self.turn:
            for member in self.members.values():
                member.heal()

    def stop(self) -> None:
        """Leave no process, no mount and no open port. Raises what ended the tending."""
        self._over.set()
        if self._tending.is_alive():
            self._tending.join()
        for member in self.members.values():
            member.thaw()
        roles = [member.child for name, member in self.members.items() if name in PROCESSES]
        for children in (roles, self._servers):
            for child in children:
                child.ask_to_stop()
            until = time.monotonic() + _STOP_SECONDS
            for child in children:
                child.await_stop(until - time.monotonic(), self.hurry)
        self.links.close()
        for disk in self.disks.values():
            disk.unmount()
        self._ports.release()
        if self._failure is not None:
            raise RuntimeError("the drill's processes were not tended to the end") from self._failure

    def _role_url(self, role: str) -> str:
        port = self.links.by_name[f"{role}:postgres"].port
        # The proxy reads along, so nothing may be negotiated before the first message.
        return f"postgresql://postgres@127.0.0.1:{port}/{_DATABASE}?sslmode=disable&gssencmode=disable"

    def _tend(self) -> None:
        try:
            while not self._over.wait(_TEND_SECONDS):
                with self.turn:
                    for member in self.members.values():
                        self._look(member)
        except BaseException as error:  # noqa: BLE001 -- told by `stop`
            self._failure = error

    def _look(self, member: Member) -> None:
        ended = member.look()
        if ended is not None:
            self.deaths[f"{member.child.state.role} {ended}"] += 1
            if member.name in PROCESSES:
                self.ends.look(member.name, ended, member.child.log)
        if member.stops_slowly():
            self.slow_stops[member.name] += 1
            self.ends.add(member.name, "SIGKILL, 12 s after SIGTERM", member.child.log)


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2.0, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


@contextmanager
def drill_stack(folder: Path | None, say: Callable[[str], None]) -> Iterator[Stack]:
    """A stack that is gone after; with a `folder` its logs and data stay there."""
    with tempfile.TemporaryDirectory(prefix="clonepost-drill-", ignore_cleanup_errors=True) as temporary:
        # Postgres runs as a user of its own, which must be able to get there.
        Path(temporary).chmod(0o755)
        stack = Stack((folder or Path(temporary)).resolve(), say)
        try:
            yield stack
        finally:
            stack.stop()
