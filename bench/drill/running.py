"""One drill, from the empty stack to the verdict."""

import shutil
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from bench.checker import Recorder, check, wait_until_drained
from bench.checker.history import Drained, WorkersKept
from bench.drill import earlier
from bench.drill.executor import Executor
from bench.drill.faults import KINDS
from bench.drill.report import Outcome
from bench.drill.sampling import Sampler
from bench.drill.schedule import schedule
from bench.drill.stack import Stack, drill_stack
from bench.load import Analyst, Clone, Load, Operation, Tenant, make_tenants, planned, reference_lines
from bench.load.plan import SCRIPTS
from bench.pipeline.interrupting import interruptible
from schemas.topics import REQUESTS
from storage import keys, reference
from storage.connection import Database

STILL_SECONDS: Final = 60.0
"""Once the last fault is over, something gets done in every so many seconds until nothing is left to do."""
_FOLLOWED_JOBS: Final = 20_000
_WHOLE_ENVELOPES: Final = 5_000
_PARTNERS: Final = 96
"""Requests under way at once: a process that is frozen holds half of what is sent until the client's time is up."""
_CATCH_UP: Final = 4.0
_USUAL_PER_TROUBLE: Final = 0.7
_TROUBLES_PER_END: Final = 3
_BY_INSTANT: Final = "by=instant"
_QUICK: Final = f"@@generator {_BY_INSTANT}"
"""Nearly everything is made at no cost: it is the pipeline that is drilled, and it gets to many more jobs."""
_SLOW: Final = f"delay=12s {_BY_INSTANT}"
"""Longer than two leases, in every attempt: a worker that was frozen comes back while its successor makes the same."""
_TROUBLE: Final = ("hang=1 for=9s attempts=1", "crash=1 attempts=1", *("lost=1 attempts=1",) * 4, *(_SLOW,) * 6)
_DEADLY: Final = "crash=1"
"""It kills whoever makes it, again and again: with its third worker lost it is given up."""
_DEADLY_UNTIL_SECONDS: Final = 45.0
"""So long before the end the last of these comes: it has three leases to outlast, and two processes to bring down."""


@dataclass(frozen=True, slots=True)
class Drill:
    """What was asked for. `rate` is requests a second, of which somewhat more than half make a job."""

    minutes: float
    seed: int
    kinds: tuple[str, ...]
    rate: float
    folder: Path | None = None


def run(drill: Drill, say: Callable[[str], None]) -> Outcome:
    """Start, load, harm, heal, drain, check. In the main thread: SIGINT and SIGTERM are for it.

    The first one ends the harm early, and what was done until then is judged. The second one raises KeyboardInterrupt,
    and no process is left.
    """
    faults = schedule(drill.seed, drill.minutes * 60, drill.kinds)
    stopped = threading.Event()
    with drill_stack(drill.folder, say) as stack, interruptible(_asked(stopped, stack), warnings=1):
        stack.start_servers()
        tenants = _hire(stack, drill.seed)
        stack.start_roles()
        say(f"{len(faults.faults)} faults in {len(faults.phases)} phases, seed {drill.seed}")
        history = stack.home.folder / "history.jsonl"
        sent = _Sent(follow_every=max(1, _operations(drill) // _FOLLOWED_JOBS))
        over = threading.Event()
        operations = _paced(_plan(drill, tenants), drill.rate, over, sent)
        with (
            Recorder(history) as recorder,
            Analyst(stack.system, recorder) as analyst,
            Sampler(stack, recorder),
            Load(stack.system, stack.urls, tenants, recorder, partners=_PARTNERS, overflow=True) as load,
            ThreadPoolExecutor(1) as clients,
        ):
            executor = Executor(stack, recorder)
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
            if _kept_workers(drill, stack):
                recorder.add(WorkersKept())
            say(drained.waiting_for if drained.seconds is None else f"drained {drained.seconds:.0f} s after healing")
            if drained.seconds is not None:
                load.follow(sent.followed, whole_every=max(1, len(sent.followed) // _WHOLE_ENVELOPES))
            analyst.stop()
        if "provider" in drill.kinds:
            executor.applied["provider"] = sent.troubled
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
            deadlocks=stack.deadlocks,
            deaths=Counter(stack.deaths),
            slow_stops=Counter(stack.slow_stops),
            ends=stack.ends.found,
            requests=sent.requests,
            jobs=jobs,
            drained_seconds=drained.seconds,
            verdict=verdict,
        )
        if not outcome.ok and drill.folder is None:
            say(f"logs and history are in {_kept(stack)}")
        return outcome


def _asked(stopped: threading.Event, stack: Stack) -> Callable[[], None]:
    def asked() -> None:
        if stopped.is_set():
            stack.hurry.set()
        stopped.set()

    return asked


def _end(load: Load, running: "Future[None]") -> None:
    """Let the load have its last answers; where they do not come, the drain will say what is stuck."""
    wait([running], STILL_SECONDS)
    if not running.done():
        load.stop()
    running.result()


def _drain(stack: Stack, healed_at: float) -> Drained:
    """Wait, and count from the healing: servers that come back and requests that are repeated are part of it."""
    drained = wait_until_drained(stack.system, within_seconds=STILL_SECONDS)
    return drained if drained.seconds is None else replace(drained, seconds=time.monotonic() - healed_at)


def _kept_workers(drill: Drill, stack: Stack) -> bool:
    lost = any(how.startswith("generate ") for how in stack.deaths)
    return not lost and all(KINDS[kind].keeps_workers for kind in drill.kinds)


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
        reference.import_lines(connection, reference_lines(tenants, caption=_QUICK))
        earlier.leave_rows(connection, [tenant.org for tenant in tenants], partitions=REQUESTS.partitions, seed=seed)
        for tenant in tenants:
            _, tenant.api_key = keys.create(
                connection, uuid.UUID(tenant.org), scopes=["*"], tier="partner", environment="test"
            )
    database.close()
    return tenants


@dataclass(slots=True)
class _Sent:
    """What was asked for, in numbers; of an hour's clones every so many are kept, to be read to their ends."""

    follow_every: int
    requests: int = 0
    clones: int = 0
    troubled: int = 0
    followed: list[Clone] = field(default_factory=list)

    def add(self, operation: Operation) -> None:
        self.requests += 1
        if isinstance(operation, Clone):
            self.troubled += _is_told(operation, *_TROUBLE, _DEADLY)
            if self.clones % self.follow_every == 0:
                self.followed.append(operation)
            self.clones += 1


def _operations(drill: Drill) -> int:
    # Outages hold the load up, never back: so many are enough.
    return int(drill.minutes * 60 * drill.rate) + 1_000


def _plan(drill: Drill, tenants: Sequence[Tenant]) -> Iterator[Operation]:
    # So many troubles a second whatever the rate: one that kills its worker costs every variation that it had in hand.
    usual = max(20, int(drill.rate * _USUAL_PER_TROUBLE)) * _TROUBLES_PER_END
    scripts = [
        script if number % 10 == 0 else f"{script} {_BY_INSTANT}" for number, script in enumerate(SCRIPTS * usual)
    ]
    if "provider" in drill.kinds:
        scripts += [*_TROUBLE * _TROUBLES_PER_END, _DEADLY]
    operations = planned(tenants, seed=drill.seed, operations=_operations(drill), scripts=scripts)
    harmless_from = (drill.minutes * 60 - _DEADLY_UNTIL_SECONDS) * drill.rate
    return (one for number, one in enumerate(operations) if number < harmless_from or not _is_told(one, _DEADLY))


def _is_told(operation: Operation, *scripts: str) -> bool:
    if not isinstance(operation, Clone):
        return False
    overrides = operation.fields.get("overrides") or {}
    return str(overrides.get("caption")).endswith(scripts)


def _paced(operations: Iterable[Operation], rate: float, over: threading.Event, sent: _Sent) -> Iterator[Operation]:
    """So many a second on average, until the time is over: what an outage held up comes in a burst behind it."""
    due = time.monotonic()
    for operation in operations:
        due += 1 / rate
        if over.wait(max(due - time.monotonic(), 1 / (rate * _CATCH_UP))):
            return
        sent.add(operation)
        yield operation
