"""A stack for the measurement alone, run as `clonepost up` runs it."""

import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import psutil
from pydantic import SecretStr

from bench.pipeline.interrupting import interruptible
from clonepost.environment import quiet, settings_from
from clonepost.localstack.home import Home, find_process
from clonepost.localstack.supervisor import Options, Supervisor
from runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Stack:
    """Where it answers, and its processes by role."""

    settings: Settings
    database_url: str
    http: str
    processes: dict[str, psutil.Process]


@contextmanager
def running_stack(
    folder: Path | None, say: Callable[[str], None], changes: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Stack]:
    """Kafka, Postgres and every role, with the instant generator and without rate limits; stopped on leaving.

    Data and logs go to `folder` and stay there; without one they go with the stack. DATABASE_URL and
    KAFKA_BOOTSTRAP_SERVERS are used when they are set; `changes` are settings of the roles. Raises KeyboardInterrupt on
    SIGINT and SIGTERM.
    """
    with tempfile.TemporaryDirectory(prefix="clonepost-bench-") as temporary:
        home = Home((folder or Path(temporary)).resolve())
        environment = {**os.environ, "CLONEPOST_GENERATOR": "instant", "CLONEPOST_RATE_LIMITS": "false", **changes}
        supervisor = Supervisor(home, Options(environment), say)

        try:
            with interruptible(supervisor.request_stop):
                supervisor.start()
                threading.Thread(target=supervisor.watch, daemon=True).start()
                yield _stack(supervisor.addresses, home)
        finally:
            supervisor.stop()


def _stack(addresses: dict[str, str], home: Home) -> Stack:
    settings = quiet(settings_from({**os.environ, "KAFKA_BOOTSTRAP_SERVERS": addresses["kafka"]}))
    settings = settings.model_copy(update={"database_url": SecretStr(addresses["postgres"])})
    state = home.read()
    processes = {state.role: find_process(state) for state in (state.processes if state else ())}
    return Stack(
        settings,
        addresses["postgres"],
        addresses["http"],
        {role: process for role, process in processes.items() if process is not None},
    )
