"""The run: echo and API in turns, since a machine that others use is never equally fast for long."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.http.system import Machine, System, Target, machine, start_echo
from bench.http.wrk import Answered, Load, require_wrk, run
from runtime.errors import ClonepostError

WARM_UP: Final = "warm-up"
FULL: Final = "full"
HALF: Final = "half"
LOW: Final = "low"

ECHO: Final = "echo"
ACKNOWLEDGED: Final = "acknowledged"
EXACT: Final = "exact"

# The API waits so long for a verdict that a late one shows as latency, never as an optimistic 202.
_VERDICT_WAIT_MS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to measure. `low_per_second` is the rate of the exact verdicts at low load."""

    rounds: int
    seconds: float
    connections: int
    low_per_second: float


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase: what was asked, at which load, what came back, and the cores that each process took meanwhile."""

    what: str
    load: str
    round: int
    per_second_asked: float | None
    answered: Answered
    cores: dict[str, float]


def measure(plan: Plan, say: Callable[[str], None]) -> list[Phase]:
    """Every phase in its order, the warm-up left out.

    Acknowledged POSTs are answered at the broker's delivery report: no dedup runs and the API waits for no verdict.
    Exact ones are answered at dedup's verdict. Raises ClonepostError when an answer was an error, or when the log or
    the database holds less than was answered.
    """
    require_wrk()
    with tempfile.TemporaryDirectory(prefix="cp-bench-") as folder, machine(Path(folder), say) as started:
        echo = start_echo(started)
        acknowledged = System(started, ACKNOWLEDGED, ["api"], reply_wait_ms=0)
        exact = System(started, EXACT, ["api", "dedup"], reply_wait_ms=_VERDICT_WAIT_MS)
        say("the API is up")
        try:
            targets = {
                ECHO: Target(echo, acknowledged.target.project_id, acknowledged.target.api_key),
                ACKNOWLEDGED: acknowledged.target,
                EXACT: exact.target,
            }
            phases = _Turns(started, plan, targets, say).all()
            _account(ACKNOWLEDGED, phases, acknowledged.requests_logged())
            _account(EXACT, phases, exact.requests_accepted())
        finally:
            acknowledged.close()
            exact.close()
    return [phase for phase in phases if phase.load != WARM_UP]


class _Turns:
    def __init__(self, machine: Machine, plan: Plan, targets: dict[str, Target], say: Callable[[str], None]) -> None:
        self._machine = machine
        self._plan = plan
        self._targets = targets
        self._say = say
        self._phases: list[Phase] = []

    def all(self) -> list[Phase]:
        for what in self._targets:
            self._turn(what, WARM_UP, 0)
        for number in range(1, self._plan.rounds + 1):
            full = {what: self._turn(what, FULL, number) for what in self._targets}
            for what in (ACKNOWLEDGED, EXACT):
                self._turn(what, HALF, number, full[what].per_second / 2)
            self._turn(EXACT, LOW, number, self._plan.low_per_second)
        return self._phases

    def _turn(self, what: str, load: str, number: int, per_second: float | None = None) -> Answered:
        plan, target = self._plan, self._targets[what]
        before = self._machine.cpu_seconds()
        asked = Load(target.url, target.project_id, target.api_key, plan.connections, plan.seconds, per_second)
        answered = run(asked)
        after = self._machine.cpu_seconds()
        cores = {name: (after[name] - before[name]) / answered.seconds for name in after}
        cores["wrk"] = answered.generator_cores
        self._phases.append(Phase(what, load, number, per_second, answered, cores))
        self._say(f"round {number}, {what}, {load} load: {answered.per_second:,.0f}/s")
        if answered.refused or answered.broken:
            raise ClonepostError(
                f"{answered.refused} answers were errors and {answered.broken} requests had none ({what}, {load} "
                "load): the numbers of such a run mean nothing"
            )
        return answered


def _account(what: str, phases: list[Phase], held: int) -> None:
    answered = sum(phase.answered.requests for phase in phases if phase.what == what)
    if held < answered:
        raise ClonepostError(f"{answered} {what} requests were answered and only {held} are held: work was lost")
