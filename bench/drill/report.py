"""What a drill came to, for people and for programs."""

import shlex
from collections import Counter
from dataclasses import dataclass
from typing import Any

from bench.checker.report import Report
from bench.drill.ends import End
from bench.drill.faults import KINDS, PROCESSES


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that is told of a drill."""

    seed: int
    minutes: float
    kinds: tuple[str, ...]
    rate: float
    phases: int
    planned: Counter[str]
    applied: Counter[str]
    missed: Counter[str]
    deaths: Counter[str]
    slow_stops: Counter[str]
    ends: tuple[End, ...]
    deadlocks: int
    requests: int
    jobs: int
    drained_seconds: float | None
    verdict: Report

    @property
    def ok(self) -> bool:
        """Whether every invariant holds, no role ended by a defect of its own, and nobody met in a deadlock."""
        return self.verdict.ok and not self.crashes and not self.deadlocks

    @property
    def crashes(self) -> dict[str, int]:
        """Ends of role processes by an exception that nobody had thought of (exit code 1)."""
        roles = set(PROCESSES.values())
        return {how: n for how, n in sorted(self.deaths.items()) if how.split()[0] in roles and how.endswith(" 1")}

    @property
    def kills(self) -> int:
        """Every SIGKILL, of roles and servers, whoever sent it."""
        return sum(n for how, n in self.deaths.items() if how.endswith("SIGKILL"))

    @property
    def command(self) -> str:
        """What runs it again."""
        chosen = [] if set(self.kinds) == set(KINDS) else ["--faults", ",".join(self.kinds) or "none"]
        words = ["clonepost", "drill", "--minutes", f"{self.minutes:g}", "--seed", str(self.seed), *chosen]
        return shlex.join([*words, "--rate", f"{self.rate:g}"])

    def as_json(self) -> dict[str, Any]:
        """A JSON-ready form."""
        return {
            "ok": self.ok,
            "seed": self.seed,
            "minutes": self.minutes,
            "command": self.command,
            "phases": self.phases,
            "faults": {
                kind: {"planned": self.planned[kind], "applied": self.applied[kind], "missed": self.missed[kind]}
                for kind in sorted(self.kinds)
            },
            "kills": self.kills,
            "deaths": dict(sorted(self.deaths.items())),
            "crashes": self.crashes,
            "deadlocks": self.deadlocks,
            "slow_stops": dict(sorted(self.slow_stops.items())),
            "ends": [end.as_json() for end in self.ends],
            "requests": self.requests,
            "jobs": self.jobs,
            "drained_seconds": self.drained_seconds,
            "checker": self.verdict.as_json(),
        }

    def __str__(self) -> str:
        lines = [f"{self.requests} requests, {self.jobs} jobs, {self.kills} kills in {self.phases} phases"]
        lines += [
            f"  {kind:<18}{self.applied[kind]:>5} applied{self.missed[kind]:>5} missed  {KINDS[kind].what}"
            for kind in sorted(self.kinds)
        ]
        lines.append("ends of processes: " + ", ".join(f"{how} x{n}" for how, n in sorted(self.deaths.items())))
        if self.slow_stops:
            lines.append(f"stopped by force after 12 s: {dict(self.slow_stops)}")
        lines += [f"  {end.process} ended by {end.how}; {end.log}; {end.reason}" for end in self.ends]
        if self.crashes:
            lines.append(f"BROKEN: role processes ended by an exception of their own: {self.crashes}")
        if self.deadlocks:
            lines.append(f"BROKEN: {self.deadlocks} deadlocks in Postgres")
        drained = "not at all" if self.drained_seconds is None else f"in {self.drained_seconds:.1f} s"
        lines.append(f"drained {drained}")
        if self.drained_seconds is None:
            lines.append("so it was judged at work: findings besides 11 may be of what was not done yet")
        lines.append(str(self.verdict))
        if not self.ok:
            lines.append(f"run it again: {self.command}")
        return "\n".join(lines)
