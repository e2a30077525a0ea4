"""Starts the stack in the right order, keeps it running, and takes it down without leaving anything behind."""

import fcntl
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import IO, Final

import httpx
import psutil

from clonepost.listening import listen
from clonepost.localstack import ports
from clonepost.localstack.child import Child
from clonepost.localstack.home import Home, ProcessState, StackState
from clonepost.localstack.launching import Launcher, Stopped
from clonepost.localstack.notices import Notices
from clonepost.localstack.orphans import end_orphans
from clonepost.localstack.ports import PortLeases
from clonepost.localstack.rolling import RollingRestart
from clonepost.localstack.servers import Say, start_kafka, start_postgres
from clonepost.roles import ROLES, Role
from runtime.errors import ClonepostError

ROLL: Final = signal.SIGUSR1
"""What asks the process of a supervisor for a rolling restart."""
_ROLE_STOP_SECONDS: Final = 12.0
_SERVER_STOP_SECONDS: Final = 20.0
_CHECK_SECONDS: Final = 0.1


class AlreadyRunning(ClonepostError):
    """Another supervisor holds this home."""


@dataclass(frozen=True, slots=True)
class Options:
    """What `clonepost up` was asked for.

    `environment` is what every role gets, with the addresses on top. A DATABASE_URL or KAFKA_BOOTSTRAP_SERVERS in it
    is used instead of a server of our own.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    http_port: int | None = None
    api_processes: int = 1
    """All of them take requests from one socket, which stays open while they are restarted."""


class Supervisor:
    """One stack. `start`, then `watch` until `request_stop`, then `stop`, whatever became of the others."""

    def __init__(self, home: Home, options: Options, say: Say) -> None:
        """`say` is given one line for each thing that a person wants to know, from any thread."""
        self._home = home
        self._options = options
        self._say = say
        self._lock: IO[str] | None = None
        self._ports = PortLeases()
        self._servers: list[Child] = []
        self._roles: list[Child] = []
        self._stopping = threading.Event()
        self._hurry = threading.Event()
        self._roll_asked = threading.Event()
        self._notices: Notices | None = None
        self._listening: socket.socket | None = None
        self._publishing = threading.Lock()
        self._tending = threading.Lock()
        me = psutil.Process()
        self._state = StackState(ProcessState("supervisor", me.pid, "running", 0, me.create_time()))

    @property
    def addresses(self) -> dict[str, str]:
        """http, kafka and postgres, once `start` has returned."""
        return self._state.addresses

    def start(self) -> None:
        """Bring everything up and return when the API is ready. Raises ClonepostError; `stop` cleans up."""
        self._take_home()
        http_port, kafka_port = self._take_ports()
        environment = self._options.environment
        launcher = Launcher(self._servers, self._stopping, self._publish)
        kafka_part = (self._home, environment, launcher, self._ports, kafka_port, self._say)
        postgres, kafka = self._both(
            lambda: start_postgres(self._home, environment, launcher, self._say), lambda: start_kafka(*kafka_part)
        )
        self._state.addresses = {"http": f"http://127.0.0.1:{http_port}", "kafka": kafka, "postgres": postgres}
        self._start_roles(http_port)
        self._state.ready = True
        self._publish()

    def watch(self) -> None:
        """Restart what dies, and everything one by one when `request_roll` asks for it, until `request_stop`."""
        roll: RollingRestart | None = None
        while not self._stopping.wait(_CHECK_SECONDS):
            with self._tending:
                if self._stopping.is_set():
                    return
                if self._notices is not None:
                    self._notices.read()
                roll = self._begun(roll)
                changes = [
                    change
                    for child in (*self._servers, *self._roles)
                    if not (roll and roll.stops(child)) and (change := child.check())
                ]
                if roll is not None and (change := roll.step()):
                    changes.append(change)
                if roll is not None and roll.over:
                    self._state.rolling, self._state.roll_failure = False, roll.failure
                    self._state.rolls += 1
                    roll = None
            for change in changes:
                self._say(change)
            if changes:
                self._publish()

    def request_roll(self) -> None:
        """Have every role process restarted, one at a time. Safe from signal handlers."""
        self._roll_asked.set()

    def request_stop(self) -> None:
        """End `watch` and any waiting in `start`; asked again, `stop` waits for nothing. Safe from signal handlers."""
        if self._stopping.is_set():
            self._hurry.set()
        self._stopping.set()

    def stop(self) -> None:
        """Roles first, so that nothing is half done, then the servers. Leaves no process."""
        self._stopping.set()
        with self._tending:
            # `watch` restarts nothing from here on.
            pass
        for children, seconds in ((self._roles, _ROLE_STOP_SECONDS), (self._servers, _SERVER_STOP_SECONDS)):
            for child in children:
                child.ask_to_stop()
            until = time.monotonic() + seconds
            for child in children:
                child.await_stop(until - time.monotonic(), self._hurry)
        self._ports.release()
        if self._listening is not None:
            self._listening.close()
            self._listening = None
        if self._notices is not None:
            self._notices.close()
            self._notices = None
        if self._lock is not None:
            self._home.state_file.unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def _begun(self, roll: RollingRestart | None) -> RollingRestart | None:
        if roll is not None or self._notices is None or not self._roll_asked.is_set():
            return roll
        self._roll_asked.clear()
        self._state.rolling = True
        return RollingRestart(self._roles, self._notices)

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
        if left := end_orphans(self._home):
            self._say(f"ended {left} processes of an earlier run that was killed")
        self._publish()

    def _take_ports(self) -> tuple[int, int]:
        """The ports that this home had last where they are free: whoever holds an address of it keeps it."""
        asked, last = self._options.http_port, self._home.ports()
        if asked is not None:
            http = self._ports.take_exactly(asked)
        else:
            http = self._ports.take((last.get("http", ports.HTTP), ports.HTTP))
        kafka = self._ports.take((last.get("kafka", ports.KAFKA), ports.KAFKA))
        self._home.remember_ports({"http": http, "kafka": kafka})
        return http, kafka

    def _both(self, first: Callable[[], str], second: Callable[[], str]) -> tuple[str, str]:
        """Run both at once. When one fails the other is told to stop, and the failure is raised."""

        def guarded(start: Callable[[], str]) -> str:
            try:
                return start()
            except BaseException:
                self._stopping.set()
                raise

        with ThreadPoolExecutor(2) as pool:
            futures = [pool.submit(guarded, first), pool.submit(guarded, second)]
            failures = [error for future in futures if (error := future.exception()) is not None]
        if failures:
            # A part that only obeyed is not the one to tell of.
            raise min(failures, key=lambda error: isinstance(error, Stopped))
        return futures[0].result(), futures[1].result()

    def _start_roles(self, http_port: int) -> None:
        self._notices = Notices(self._home.socket_folder)
        # Ours, and inherited by every API process: while one is restarted, what connects waits in it or finds another.
        self._listening = listen(self._options.environment.get("CLONEPOST_HTTP_HOST", "127.0.0.1"), http_port)
        environment = {
            "CLONEPOST_ASSETS_FOLDER": str(self._home.assets),
            **self._options.environment,
            "DATABASE_URL": self.addresses["postgres"],
            "KAFKA_BOOTSTRAP_SERVERS": self.addresses["kafka"],
            "CLONEPOST_HTTP_PORT": str(http_port),
            "NOTIFY_SOCKET": str(self._notices.address),
            "PYTHONUNBUFFERED": "1",
        }
        launcher = Launcher(self._roles, self._stopping, self._publish)
        waits = []
        for role in ROLES:
            for number in range(1, self._number_of(role) + 1):
                child = self._role_process(role, number, environment)
                launcher.launch(child)
                if role.ready_path is not None:
                    waits.append((self.addresses["http"] + role.ready_path, role, child))
        self._say("the API and every consumer are starting")
        for url, role, child in waits:
            launcher.wait(lambda url=url: _answers_ok(url), f"the {role.name} role", child)  # type: ignore[misc]

    def _number_of(self, role: Role) -> int:
        return self._options.api_processes if role.listens else role.processes

    def _role_process(self, role: Role, number: int, environment: Mapping[str, str]) -> Child:
        name = role.name if number == 1 else f"{role.name}-{number}"
        # A restarted process takes its partitions back by this name; two stacks on one cluster must not share one.
        own = {**environment, "CLONEPOST_INSTANCE": f"{self._home.identity()}.{name}"}
        inherits = []
        if role.listens and self._listening is not None:
            inherits.append(self._listening.fileno())
            own["CLONEPOST_HTTP_SOCKET"] = str(self._listening.fileno())
        command = [sys.executable, "-m", "clonepost", *role.arguments]
        return Child(role.name, command, log=self._home.logs / f"{name}.log", environment=own, inherits=inherits)

    def _publish(self) -> None:
        with self._publishing:
            self._state.processes = [child.state for child in (*self._servers, *self._roles)]
            self._home.write(self._state)


def _answers_ok(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
