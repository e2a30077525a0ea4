"""What a supervisor that was killed left behind: found, and ended as its supervisor would have ended it."""

import signal
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from clonepost.localstack.home import Home, find_process

SERVERS: Final = ("postgres", "kafka")
_GRACE_SECONDS: Final = 10.0
_KILL_SECONDS: Final = 5.0


def end_orphans(home: Home) -> int:
    """End every process of this home's last stack, roles before servers. Returns how many there were.

    Only for the holder of the home's lock, or once its supervisor is gone.
    """
    if not home.folder.is_dir():
        return 0
    state = home.read()
    roles: list[psutil.Process] = []
    servers: list[psutil.Process] = []
    for one in state.processes if state is not None else ():
        process = find_process(one)
        if process is not None:
            (servers if one.role in SERVERS else roles).append(process)
    # A supervisor may have died between a start and writing it down, or the state file may be damaged.
    unwritten = (*_postgres_of(home.postgres), *_kafka_of(home.kafka))
    servers += [process for process in unwritten if process not in servers]
    roles += [process for process in _roles_of(home.identity()) if process not in roles]
    for group in (roles, servers):
        _end(group)
    return len(roles) + len(servers)


def end_supervisor(home: Home, *, timeout_seconds: float) -> bool:
    """Ask the supervisor of this home to stop everything; kill it if it does not. False when there was none."""
    state = home.read()
    supervisor = find_process(state.supervisor) if state is not None else None
    if supervisor is None:
        return False
    with suppress(psutil.NoSuchProcess):
        supervisor.terminate()
        if _still_there([supervisor], timeout_seconds):
            supervisor.kill()
            _still_there([supervisor], _KILL_SECONDS)
    return True


def _end(processes: Sequence[psutil.Process]) -> None:
    family = list(processes)
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            family += process.children(recursive=True)
            # Postgres takes SIGINT as "stop now, cleanly"; every other process of ours ends on it as well.
            process.send_signal(signal.SIGINT)
    for left in _still_there(family, _GRACE_SECONDS):
        with suppress(psutil.NoSuchProcess):
            left.kill()
    _still_there(family, _KILL_SECONDS)


def _still_there(processes: Iterable[psutil.Process], timeout_seconds: float) -> list[psutil.Process]:
    """Wait for their end. A zombie has ended: where no init reaps, it would be waited for in vain."""
    until = time.monotonic() + timeout_seconds
    left = [process for process in processes if _lives(process)]
    while left and time.monotonic() < until:
        time.sleep(0.02)
        left = [process for process in left if _lives(process)]
    return left


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _postgres_of(data: Path) -> list[psutil.Process]:
    try:
        pid = int((data / "postmaster.pid").read_text("utf-8").split("\n", 1)[0])
        process = psutil.Process(pid)
        # A postmaster works in its data folder; a later owner of its pid does not.
        return [process] if Path(process.cwd()) == data else []
    except (OSError, ValueError, psutil.Error):
        return []


def _kafka_of(folder: Path) -> list[psutil.Process]:
    settings = str(folder / "server.properties")
    return [process for process in psutil.process_iter(["cmdline"]) if settings in (process.info["cmdline"] or ())]


def _roles_of(identity: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if "clonepost" in (process.info["cmdline"] or ()):
            # Another user's process does not show its environment, and is not ours.
            with suppress(psutil.Error):
                if process.environ().get("CLONEPOST_INSTANCE", "").startswith(f"{identity}."):
                    found.append(process)
    return found
