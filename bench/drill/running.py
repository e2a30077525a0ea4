"""One drill, from the empty stack to the verdict."""

import shutil
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bench.checker import Recorder, check, wait_until_drained
from bench.checker.history import Drained
from bench.drill.executor import Executor
from bench.drill.report import Outcome
from bench.drill.sampling import Sampler
from bench.drill.schedule import schedule
from bench.drill.stack import Stack, drill_stack
from bench.load import Analyst, Clone, Load, Operation, Tenant, make_tenants, plan, reference_lines
from bench.load.plan import SCRIPTS
from storage import keys, reference
from storage.connection import Database

DRAIN_SECONDS: Final = 60.0
"""Within so long of the last fault's end nothing waits any more."""
_WHOLE_ENVELOPES: Final = 5_000
_TROUBLE: Final = ("hang=1 for=9s attempts=1", "crash=1 attempts=1", *("lost=1 attempts=1",) * 4)


@dataclass(frozen=True, slots=True)
class Drill:
    """What was asked for. `rate` is requests a second, of which somewhat more than half make a job."""

    minutes: float
    seed: int
    kinds: tuple[str, ...]
    rate: float
    folder: Path | None = None


def run(drill: Drill, say: Callable[[str], None], stopped: threading.Event) -> Outcome:
    """Start, load, harm, heal, drain, check. `stopped` ends the harm early; what was done until then is judged."""
    faults = schedule(drill.seed, drill.minutes * 60, drill.kinds)
    with drill_stack(drill.folder, say) as stack:
        stack.start_servers()
        tenants = _hire(stack, drill.seed)
        stack.start_roles()
        say(f"{len(faults.faults)} faults in {len(faults.phases)} phases, seed {drill.seed}")
        history = stack.home.folder / "history.jsonl"
        executor = Executor(stack)
        sent: list[Operation] = []
        over = threading.Event()
        operations = _paced(_plan(drill, tenants), drill.rate, over, sent)
        with (
            Recorder(history) as recorder,
            Analyst(stack.system, recorder) as analyst,
            Sampler(stack, recorder),
            Load(stack.system, stack.urls, tenants, recorder) as load,
            ThreadPoolExecutor(1) as clients,
        ):
            running = clients.submit(load.run, operations)
            try:
                executor.run(faults, stopped)
                healed_at = time.monotonic()
                say("healed; the load ends, then the system drains")
                over.set()
                stack.await_ready()
                _end(load, running)
            except BaseException:
                load.stop()
                over.set()
                raise
            drained = _drain(stack, healed_at)
            recorder.add(drained)
            say(drained.waiting_for if drained.seconds is None else f"drained {drained.seconds:.0f} s after healing")
            if drained.seconds is not None:
                jobs = sum(isinstance(operation, Clone) for operation in sent)
                load.follow(sent, whole_every=max(1, jobs // _WHOLE_ENVELOPES))
            analyst.stop()
        if "provider" in drill.kinds:
            executor.applied["provider"] = sum(map(_is_trouble, sent))
        say("the checker reads everything")
        verdict = check(stack.system, history)
        with Database(stack.database_url, application_name="drill").transaction() as connection:
            (jobs,) = connection.execute("SELECT count(*) FROM claims").fetchone() or (0,)
        outcome = Outcome(
            seed=drill.seed,
            minutes=drill.minutes,
            kinds=drill.kinds,
            rate=drill.rate,
            phases=len(faults.phases),
            planned=Counter(fault.kind for fault in faults.faults),
            applied=executor.applied,
            missed=executor.missed,
            deaths=Counter(stack.deaths),
            slow_stops=Counter(stack.slow_stops),
            requests=len(sent),
            jobs=jobs,
            drained_seconds=drained.seconds,
            verdict=verdict,
        )
        if not outcome.ok and drill.folder is None:
            say(f"logs and history are in {_kept(stack)}")
        return outcome


def _end(load: Load, running: "Future[None]") -> None:
    """Let the load have its last answers; where they do not come, the drain will say what is stuck."""
    wait([running], DRAIN_SECONDS)
    if not running.done():
        load.stop()
    running.result()


def _drain(stack: Stack, healed_at: float) -> Drained:
    """Wait, and count from the healing: servers that come back and requests that are repeated are part of it."""
    left = max(1.0, DRAIN_SECONDS - (time.monotonic() - healed_at))
    drained = wait_until_drained(stack.system, within_seconds=left)
    seconds = None if drained.seconds is None else time.monotonic() - healed_at
    return replace(drained, seconds=seconds, within_seconds=DRAIN_SECONDS)


def _kept(stack: Stack) -> Path:
    """A copy of what tells how it came about, that outlives the stack."""
    folder = Path(tempfile.mkdtemp(prefix="clonepost-drill-broken-"))
    shutil.copytree(stack.home.logs, folder / "logs")
    shutil.copy(stack.home.folder / "history.jsonl", folder)
    return folder


def _hire(stack: Stack, seed: int) -> list[Tenant]:
    """Organisations with keys, before the API starts: it loads the keys that are there."""
    tenants = make_tenants(seed=seed)
    database = Database(stack.database_url, application_name="drill")
    with database.transaction() as connection:
        reference.import_lines(connection, reference_lines(tenants))
        for tenant in tenants:
            _, tenant.api_key = keys.create(
                connection, uuid.UUID(tenant.org), scopes=["*"], tier="partner", environment="test"
            )
    database.close()
    return tenants


def _plan(drill: Drill, tenants: Sequence[Tenant]) -> list[Operation]:
    scripts = SCRIPTS * 20 + _TROUBLE if "provider" in drill.kinds else SCRIPTS
    # Outages hold the load up, never back: so many are enough.
    operations = int(drill.minutes * 60 * drill.rate) + 1_000
    return plan(tenants, seed=drill.seed, operations=operations, scripts=scripts)


def _is_trouble(operation: Operation) -> bool:
    overrides = (operation.fields.get("overrides") or {}) if isinstance(operation, Clone) else {}
    return str(overrides.get("caption")).endswith(_TROUBLE)


def _paced(
    operations: Sequence[Operation], rate: float, over: threading.Event, sent: list[Operation]
) -> Iterator[Operation]:
    """So many a second and no more, until the time is over."""
    for operation in operations:
        if over.wait(1 / rate):
            return
        sent.append(operation)
        yield operation
