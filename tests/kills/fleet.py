"""Processes that die at one failpoint after the other, and are started again to die at the next."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from bench.drill.faults import PLACES
from tests.awaiting import eventually
from tests.kills.forked import ForkedRole, KilledPipeline


@dataclass(slots=True)
class Lane:
    """One process name, and the failpoints at which it is still to die, each with the pass."""

    name: str
    role: str
    left: list[tuple[str, int]]
    process: ForkedRole | None = None
    armed: str | None = None
    at_pass: int = 0
    log_bytes: int = 0
    rests: bool = False
    deaths: list[str] = field(default_factory=list)


PROCESSES: Final = {"api": ("api",), "dedup": ("dedup",), "project": ("project",)} | {
    "generate": ("generate-a", "generate-b", "generate-c"),
    # While one starts, the other one leads, and dies.
    "relay": ("relay-a", "relay-b"),
}
"""The processes of each role, which share its failpoints: the more there are, the more processes."""


def lanes(passes: Sequence[int]) -> list[Lane]:
    """All processes, with the deaths of each."""
    found: list[Lane] = []
    for role, places in PLACES.items():
        deaths = [(place, number) for number in passes for place in places]
        names = PROCESSES[role]
        found += [Lane(name, role, deaths[first :: len(names)]) for first, name in enumerate(names)]
    return found


class Fleet:
    """The processes of one pipeline. Each dies at each of its failpoints, and then lives."""

    def __init__(self, pipeline: KilledPipeline, lanes: Sequence[Lane]) -> None:
        self._pipeline = pipeline
        self.lanes = list(lanes)

    def start(self) -> None:
        """Start every process, armed."""
        for lane in self.lanes:
            self._launch(lane)

    def die_everywhere(self) -> None:
        """Tend the processes until each of them has died at each of its failpoints."""
        try:
            eventually(self._tend, what="every process dies at each of its failpoints", bound_seconds=400)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self}") from error

    def _tend(self) -> bool:
        """Start again what has died; True once all of them have died everywhere. Raises when one dies otherwise."""
        for lane in self.lanes:
            self._look(lane)
        return all(lane.armed is None for lane in self.lanes)

    def __str__(self) -> str:
        return "\n".join(
            f"{lane.name}: died at {', '.join(lane.deaths) or 'nothing yet'}; waits for {lane.armed}; then {lane.left}"
            for lane in self.lanes
        )

    def _look(self, lane: Lane) -> None:
        assert lane.process is not None
        if lane.rests:
            return
        if lane.process.ended_by is None:
            if lane.role == "relay" and lane.armed in ("relay.fence", "relay.scan") and lane.at_pass > 1:
                # A healthy relay gets there once in its life: take its lock away.
                self._cut_off("clonepost-relay")
            return
        last_words = self._pipeline.log(lane.name).encode()[lane.log_bytes :].decode("utf-8", "replace")
        if lane.process.ended_by != -signal.SIGKILL or f'"at": "{lane.armed}"' not in last_words:
            raise AssertionError(
                f"{lane.name} was to die at {lane.armed}, but ended with {lane.process.ended_by}\n{last_words[-4_000:]}"
            )
        lane.deaths.append(f"{lane.armed}@{lane.at_pass}")
        self._launch(lane)

    def _launch(self, lane: Lane) -> None:
        lane.armed, lane.at_pass = lane.left.pop(0) if lane.left else (None, 0)
        if lane.role == "relay":
            if lane.armed is None and any(other.armed for other in self.lanes if other.role == "relay"):
                # Healthy, it would lead for good, and the other one would never pass where it is to die.
                lane.rests = True
                return
            # A new process need not wait until the old one has been silent: safety is the lock and the fence.
            self._pipeline.execute("UPDATE relay_checkpoints SET leader_seen_at = NULL")
        lane.log_bytes = len(self._pipeline.log(lane.name).encode())
        failpoints = "" if lane.armed is None else f"{lane.armed}=kill@{lane.at_pass}"
        lane.process = self._pipeline.fork(lane.name, lane.role, CLONEPOST_FAILPOINTS=failpoints)

    def _cut_off(self, application: str) -> None:
        self._pipeline.execute(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND application_name = %s""",
            application,
        )
