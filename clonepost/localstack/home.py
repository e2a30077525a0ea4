"""The home folder of one stack: data, logs, and the state file that other commands read."""

import hashlib
import json
import os
import secrets
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil

# Postgres adds `/.s.PGSQL.5432.lock`; a unix socket's path may have 107 bytes (103 on macOS).
_SOCKET_FOLDER_BYTES: Final = 80


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
    """Everything that other commands need to know of a running stack."""

    supervisor: ProcessState
    processes: list[ProcessState] = field(default_factory=list)
    addresses: dict[str, str] = field(default_factory=dict)
    ready: bool = False
    rolling: bool = False
    """A rolling restart is under way."""
    rolls: int = 0
    """How many have ended."""
    roll_failure: str | None = None
    """Why the last one ended before its time."""


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
    def kafka(self) -> Path:
        """The broker's settings and data."""
        return self.folder / "kafka"

    @property
    def postgres(self) -> Path:
        """The database server's data."""
        return self.folder / "postgres"

    @property
    def assets(self) -> Path:
        """What was rendered."""
        return self.folder / "assets"

    @property
    def socket_folder(self) -> Path:
        """Where Postgres has its socket: in the home, or in a short folder when the home's path is too long for one."""
        inside = self.folder / "run"
        if len(os.fsencode(inside)) <= _SOCKET_FOLDER_BYTES:
            return inside
        digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"clonepost-{digest}"

    def identity(self) -> str:
        """A name of this stack that no other stack has, on any machine; made once."""
        file = self.folder / "identity"
        if not file.exists() or not file.read_text("utf-8"):
            _replace(file, secrets.token_hex(4))
        return file.read_text("utf-8")

    def ports(self) -> dict[str, int]:
        """The ports of the last start, by what listened there."""
        try:
            return {str(name): int(port) for name, port in json.loads((self.folder / "ports.json").read_text()).items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}

    def remember_ports(self, ports: dict[str, int]) -> None:
        """Keep them for the next start, so that yesterday's addresses still work."""
        _replace(self.folder / "ports.json", json.dumps(ports))

    def read(self) -> StackState | None:
        """The last state that was written; None where there is none or it cannot be read."""
        try:
            raw = json.loads(self.state_file.read_text("utf-8"))
            return StackState(
                ProcessState(**raw["supervisor"]),
                [ProcessState(**process) for process in raw["processes"]],
                raw["addresses"],
                raw["ready"],
                # A release before this one may have written it.
                raw.get("rolling", False),
                raw.get("rolls", 0),
                raw.get("roll_failure"),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, state: StackState) -> None:
        """Replace the state file. One writer at a time."""
        _replace(self.state_file, json.dumps(asdict(state)))


def _replace(file: Path, text: str) -> None:
    partial = file.with_name(f"{file.name}.{os.getpid()}")
    # The database's address may carry a password.
    partial.touch(mode=0o600)
    partial.write_text(text, "utf-8")
    partial.replace(file)


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
