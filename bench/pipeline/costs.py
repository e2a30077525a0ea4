"""CPU and memory of every process of a stack, and CPU inside Postgres by whom it was spent for."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import psutil

from runtime.errors import ClonepostError
from storage.connection import Database

_MEGABYTE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Costs:
    """CPU seconds since each process began, and megabytes that it shares with nobody, by role."""

    cpu_seconds: dict[str, float]
    database_cpu_seconds: dict[str, float]
    """The part of Postgres by the connection's application name."""
    memory_mb: dict[str, float]


class Meter:
    """Reads the costs of the processes given."""

    def __init__(self, processes: Mapping[str, psutil.Process], database: Database) -> None:
        """`processes` is by role; a process stands for its children as well."""
        self._processes = processes
        self._database = database

    def read(self) -> Costs:
        """The costs up to now. Raises ClonepostError when a process is gone: a restart would spoil the measurement."""
        cpu: dict[str, float] = {}
        memory: dict[str, float] = {}
        by_pid: dict[int, float] = {}
        for role, process in self._processes.items():
            try:
                times = process.cpu_times()
                # Children that have ended are in their parent's account.
                cpu[role] = times.user + times.system + times.children_user + times.children_system
                memory[role] = process.memory_full_info().uss / _MEGABYTE
                children = process.children()
            except psutil.Error as error:
                raise ClonepostError(f"the {role} process ended during the measurement; see its log") from error
            for child in children:
                with suppress(psutil.Error):
                    times = child.cpu_times()
                    by_pid[child.pid] = times.user + times.system
                    cpu[role] += by_pid[child.pid]
                    memory[role] += child.memory_full_info().uss / _MEGABYTE
        return Costs(cpu, self._by_application(by_pid), memory)

    def _by_application(self, by_pid: Mapping[int, float]) -> dict[str, float]:
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT pid, coalesce(nullif(application_name, ''), backend_type) FROM pg_stat_activity"
            ).fetchall()
        spent: dict[str, float] = {}
        for pid, name in rows:
            spent[name] = spent.get(name, 0.0) + by_pid.get(pid, 0.0)
        return spent


def per_job_ms(before: Mapping[str, float], after: Mapping[str, float], jobs: int) -> dict[str, float]:
    """CPU milliseconds a job between two readings."""
    spent = {name: (seconds - before.get(name, 0.0)) * 1000 / jobs for name, seconds in after.items()}
    return {name: value for name, value in spent.items() if value >= 0.0005}
