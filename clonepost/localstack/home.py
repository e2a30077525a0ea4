"""The home folder of one stack: data, logs, and the state file that other commands read."""

import hashlib
import json
import os
import socket
import tempfile
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil

_SOCKET_PATH_BYTES: Final = 90
DEFAULT_HTTP_PORT: Final = 8080
DEFAULT_KAFKA_PORT: Final = 9092


@dataclass(slots=True)
class ProcessState:
    """One process as `clonepost status --json` shows it. `created` tells it from a later owner of its pid."""

    role: str
    pid: int | None = None
    state: str = "starting"
    restarts: int = 0
    created: float | None = None

    def shown(self) -> dict[str, Any]:
        """The public part."""
        return {"role": self.role, "pid": self.pid, "state": self.state, "restarts": self.restarts}


@dataclass(slots=True)
class StackState:
    """Everything that outlives a command."""

    supervisor: ProcessState
    processes: list[ProcessState] = field(default_factory=list)
    addresses: dict[str, str] = field(default_factory=dict)
    ready: bool = False


@dataclass(frozen=True, slots=True)
class Home:
    """The folder, and where things are in it."""

    folder: Path

    @property
    def logs(self) -> Path:
        """One file a process."""
        return self.folder / "logs"

    @property
    def lock(self) -> Path:
        """Held by the supervisor for as long as it lives."""
        return self.folder / "lock"

    @property
    def state_file(self) -> Path:
        """Written atomically at every change."""
        return self.folder / "state.json"

    @property
    def socket_folder(self) -> Path:
        """Where Postgres has its socket: in the home, or in a short folder when the home's path is too long for one."""
        inside = self.folder / "run"
        if len(str(inside)) <= _SOCKET_PATH_BYTES:
            return inside
        digest = hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"clonepost-{digest}"

    def read(self) -> StackState | None:
        """The last state that was written; None where there is none or it cannot be read."""
        try:
            raw = json.loads(self.state_file.read_text("utf-8"))
            return StackState(
                ProcessState(**raw["supervisor"]),
                [ProcessState(**process) for process in raw["processes"]],
                raw["addresses"],
                raw["ready"],
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, state: StackState) -> None:
        """Replace the state file."""
        partial = self.state_file.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps(asdict(state)), "utf-8")
        partial.replace(self.state_file)


def home_at(folder: Path | None) -> Home:
    """The home at that folder, or at CLONEPOST_HOME, or at ~/.clonepost."""
    chosen = folder or Path(os.environ.get("CLONEPOST_HOME") or Path.home() / ".clonepost")
    return Home(chosen.expanduser().resolve())


def find_process(state: ProcessState) -> psutil.Process | None:
    """The living process that the state names, never another that got its pid."""
    if state.pid is None or state.created is None:
        return None
    try:
        process = psutil.Process(state.pid)
        same = abs(process.create_time() - state.created) < 1.0
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def free_port(preferred: int) -> int:
    """`preferred` if nothing listens there, else any free one."""
    for port in (preferred, 0):
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port on 127.0.0.1")
