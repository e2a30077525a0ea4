"""The relay as a model: two relay processes, Postgres, and the parts of a broker that decide what its log holds.

The order of steps is `consumers.relay.protocol`'s own, and so is the rule of trust. What the parts may do:

- A process may die at every step, or be stopped for as long as it likes: a stopped process is one that makes no move.
  Postgres may drop its connection, and with it its lock, without its knowing before it asks again.
- An EndTxn may arrive twice: the client sends it again when no answer comes, and a copy can come to the coordinator
  after the next transaction has begun (KIP-890's defence is not in librdkafka). A fence drops what older epochs sent.
- A commit is decided at once and becomes visible later, partition by partition. A transaction may time out.
- Retention may delete what the relay has not read back. A commit to Postgres may be made and its answer lost.

A log is kept from the checkpoint on; of what lies below only the number of copies of each event matters. Epochs are not
numbered: a producer either is the last one fenced in, or it is stale.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from consumers.relay import protocol
from consumers.relay.protocol import Step, Trust
from tests.models.exploring import Kind, Move

COMMITTED: Final = -1
ABORTED: Final = -2
PARTITION_OF: Final = (0, 1, 1)
"""Events by the partition of their output: two can share a transaction and a partition."""
OFFSETS: Final = 2
"""Stands for the group's offsets in a transaction of the design that keeps its progress there."""
_FAST, _SLOW = 0.0, 2 * protocol.SLOW_COMMIT_SECONDS


@dataclass(frozen=True)
class Design:
    """What the relay does. The defaults are the relay; each change is a design known to be wrong."""

    steps: Callable[[Trust], tuple[Step, ...]] = protocol.steps
    trust_after_publish: Callable[[float], Trust] = protocol.trust_after_publish
    transactional: bool = True
    one_transactional_id: bool = True
    halts_on_deleted: bool = True
    above_last_id: bool = False
    """Selects rows above the highest id that was marked, instead of every unmarked row."""
    offsets_in_transaction: bool = False
    """Progress is an offset committed in the transaction, as a Kafka Streams application keeps it."""


@dataclass(frozen=True)
class World:
    """What may happen around the relay."""

    faults: int = 3
    checks_partitions: bool = True
    """The broker refuses a record for a partition that is not in the transaction: every release from 3.6 on."""
    retries_fast: bool = True
    """A commit may have been sent twice and still be answered within SLOW_COMMIT_SECONDS."""
    late: tuple[int, ...] = (1, 2)
    """The events whose rows are committed while the relay runs."""


class Entry(NamedTuple):
    """One record of the log. `state` is the coordinator whose transaction holds it, or COMMITTED, or ABORTED."""

    event: int
    state: int


class Coordinator(NamedTuple):
    """The transaction of one transactional id."""

    phase: str = "empty"
    """empty, ongoing, committing, aborting, committed; the last two but one until every marker is written."""
    parts: frozenset[int] = frozenset()
    sent: tuple[bool, ...] = ()
    """EndTxn requests on their way from the present epoch; True commits."""
    offset: int = 0
    """Of the group, in the transaction."""


class Process(NamedTuple):
    """One relay process; `at` counts the steps done of a round. Dead and new are the same: all of this is memory."""

    fenced: bool = False
    at: int = 0
    producer: str = "none"
    """none, live, stale"""
    rows: tuple[int, ...] = ()
    produced: int = 0
    added: frozenset[int] = frozenset()
    """The partitions that the client believes are in its transaction."""
    end: str = ""
    """The end of the transaction: sent, retried, fast, slow; aborting and abort-retried where it gives up itself."""
    found: frozenset[int] = frozenset()
    read_to: tuple[int, ...] = (0, 0)


class State(NamedTuple):
    """Everything."""

    rows: tuple[str, ...]
    """Of the outbox: none, pending, marked."""
    logs: tuple[tuple[Entry, ...], ...] = ((), ())
    deleted: frozenset[int] = frozenset()
    """Partitions whose log starts after the checkpoint."""
    copies: tuple[int, ...] = (0,) * len(PARTITION_OF)
    offset: int = 0
    lock: int | None = None
    processes: tuple[Process, ...] = (Process(), Process())
    coordinators: tuple[Coordinator, ...] = (Coordinator(),)
    faults: int = 0
    halted: bool = False


class RelayModel:
    """See the module. A move is labelled with the step that the process is at, by its name in the protocol."""

    def __init__(self, design: Design, world: World) -> None:
        self._design = design
        self._world = world
        self._steps = {trust: design.steps(trust) for trust in Trust}

    def initial(self) -> State:
        """Some rows are there, two processes start, nothing is published."""
        rows = tuple("none" if event in self._world.late else "pending" for event in range(len(PARTITION_OF)))
        coordinators = (Coordinator(),) * (1 if self._design.one_transactional_id else 2)
        return State(rows, coordinators=coordinators, faults=self._world.faults)

    def wrong(self, state: State) -> str | None:
        """Twice in the log, or taken for published without being in the log."""
        for event, copies in enumerate(state.copies):
            if copies > 1:
                return f"DOUBLED: event {event} is in the committed log {copies} times."
            passed = state.rows[event] == "marked" or event < state.offset
            if passed and not copies and not self._will_show(state, event):
                return f"LOST: event {event} is taken for published and is not in the log."
        return None

    def done(self, state: State) -> bool:
        """Every row is in the log and marked; or the relay has halted, and people decide."""
        if state.halted:
            return True
        marked = self._design.offsets_in_transaction or all(row == "marked" for row in state.rows)
        return marked and all(copies == 1 for copies in state.copies)

    def moves(self, state: State) -> Iterator[Move[State]]:
        """All that can happen."""
        if state.halted:
            return
        if any(row == "none" for row in state.rows):
            rows = tuple("pending" if row == "none" else row for row in state.rows)
            yield Move(f"jobs complete, rows {list(self._world.late)} are committed", state._replace(rows=rows))
        for who in range(2):
            yield from self._process_moves(state, who)
        for which in range(len(state.coordinators)):
            yield from self._coordinator_moves(state, which)
        if state.faults:
            for move in self._faults(state._replace(faults=state.faults - 1)):
                yield move._replace(kind=Kind.FAULT)

    # --- One relay process --------------------------------------------------------------------------------------

    def _process_moves(self, state: State, who: int) -> Iterator[Move[State]]:
        process = state.processes[who]
        step = self._steps[Trust.FENCED if process.fenced else Trust.UNFENCED][process.at]
        name = f"relay {who}: {step.value}"
        if step is Step.LEAD:
            if state.lock is None:
                # Idle rounds change nothing; and of two healthy relays the heartbeat lets one lead.
                wants = who == 0 and not (process.fenced and self._selected(state) == ())
                after = _with(state._replace(lock=who), who, at=1)
                yield Move(name, after, Kind.CALM if wants else Kind.OTHER)
        elif step is Step.FENCE:
            yield from self._fence(state, who, name)
        elif step in (Step.SCAN, Step.READ_BACK):
            yield from self._read(state, who, name)
        elif step is Step.SELECT:
            yield self._select(state, who, name)
        elif step is Step.PUBLISH:
            yield from self._publish(state, who, name)
        elif step is Step.MARK:
            yield self._mark(state, who, name)
        else:
            yield self._commit(state, who, name)

    def _fence(self, state: State, who: int, name: str) -> Iterator[Move[State]]:
        which = self._coordinator_of(who)
        coordinator = state.coordinators[which]
        if coordinator.phase in ("committing", "aborting"):
            return
        if coordinator.phase == "ongoing":
            fenced = coordinator._replace(phase="aborting", sent=())
            after = self._all_stale(_at(state, which, fenced), which)
            aborts = Move(f"{name} (the open transaction is aborted)", after)
            if state.lock == who:
                yield aborts
            else:
                # A zombie's client gives up in the end: it does not abort for ever what its heir begins.
                yield aborts._replace(kind=Kind.OTHER)
                yield Move(f"{name} (no answer comes: error)", _distrust(state, who))
            return
        after = self._all_stale(_at(state, which, Coordinator()), which)
        yield Move(name, _with(after, who, at=state.processes[who].at + 1, producer="live"))

    def _read(self, state: State, who: int, name: str) -> Iterator[Move[State]]:
        at = state.processes[who].at + 1
        if state.lock != who:
            # What it reads is for nothing: it learns at the next statement that its transaction is gone.
            yield Move(f"{name} (without the lock)", _with(state, who, at=at))
        elif state.deleted and self._design.halts_on_deleted:
            yield Move(f"{name} (the log starts after the checkpoint: halt)", state._replace(halted=True))
        elif any(entry.state >= 0 for log in state.logs for entry in log):
            if not any(c.phase in ("committing", "aborting") for c in state.coordinators):
                yield Move(f"{name} (an open record hides the end of the log: error)", _distrust(state, who))
        else:
            found = frozenset(entry.event for log in state.logs for entry in log if entry.state == COMMITTED)
            read_to = tuple(len(log) for log in state.logs)
            yield Move(f"{name} {sorted(found)}", _with(state, who, at=at, found=found, read_to=read_to))

    def _select(self, state: State, who: int, name: str) -> Move[State]:
        rows = self._selected(state)
        if state.lock != who or not rows:
            why = "the lock is gone: error" if state.lock != who else "nothing"
            fenced = state.processes[who].fenced and state.lock == who
            return Move(f"{name} ({why})", _idle(state, who) if fenced else _distrust(state, who))
        return Move(f"{name} {list(rows)}", _with(state, who, at=state.processes[who].at + 1, rows=rows))

    def _publish(self, state: State, who: int, name: str) -> Iterator[Move[State]]:
        process = state.processes[who]
        sends = (*process.rows, OFFSETS) if self._design.offsets_in_transaction else process.rows
        if not self._design.transactional:
            yield self._produce_plainly(state, who, name)
        elif process.end in ("fast", "slow"):
            yield self._published(state, who, name)
        elif process.producer == "stale":
            yield Move(f"{name} (fenced: error)", _distrust(state, who))
        elif not process.end and process.produced < len(sends):
            yield from self._produce(state, who, name)
        elif not process.end:
            yield Move(f"{name}: sends EndTxn", self._sends_end(state, who, commits=True, end="sent"))
        if self._design.offsets_in_transaction and process.producer == "live" and process.produced and not process.end:
            after = self._sends_end(state, who, commits=False, end="aborting")
            yield Move(f"{name}: gives up, sends EndTxn to abort", after, Kind.OTHER)

    def _produce(self, state: State, who: int, name: str) -> Iterator[Move[State]]:
        process = state.processes[who]
        which = self._coordinator_of(who)
        coordinator = state.coordinators[which]
        if process.produced < len(process.rows):
            event = process.rows[process.produced]
            partition, what = PARTITION_OF[event], f"{name}: produces event {event}"
        else:
            event = max(process.rows) + 1
            partition, what = OFFSETS, f"{name}: sends offset {event}"
        if partition not in process.added:
            if coordinator.phase in ("committing", "aborting"):
                return
            parts = coordinator.parts if coordinator.phase == "ongoing" else frozenset()
            coordinator = coordinator._replace(phase="ongoing", parts=parts | {partition})
        elif self._world.checks_partitions and not (coordinator.phase == "ongoing" and partition in coordinator.parts):
            yield Move(f"{what} (not in the transaction: error)", _distrust(state, who))
            return
        if partition == OFFSETS:
            after = _at(state, which, coordinator._replace(offset=event))
        else:
            after = _append(_at(state, which, coordinator), partition, Entry(event, which))
        yield Move(what, _with(after, who, produced=process.produced + 1, added=process.added | {partition}))

    def _produce_plainly(self, state: State, who: int, name: str) -> Move[State]:
        process = state.processes[who]
        if process.produced == len(process.rows):
            return Move(name, _with(state, who, at=process.at + 1))
        event = process.rows[process.produced]
        after = _copied(_append(state, PARTITION_OF[event], Entry(event, COMMITTED)), [event])
        return Move(f"{name}: produces event {event}", _with(after, who, produced=process.produced + 1))

    def _published(self, state: State, who: int, name: str) -> Move[State]:
        process = state.processes[who]
        seconds = _FAST if process.end == "fast" else _SLOW
        if self._design.trust_after_publish(seconds) is not Trust.FENCED:
            return Move(f"{name} (a slow commit is not trusted)", _distrust(state, who))
        return Move(f"{name} (acknowledged, {process.end})", _with(state, who, at=process.at + 1))

    def _mark(self, state: State, who: int, name: str) -> Move[State]:
        process = state.processes[who]
        order = self._steps[Trust.FENCED if process.fenced else Trust.UNFENCED]
        if state.lock != who:
            return Move(f"{name} (the lock is gone: error)", _distrust(state, who))
        if not {Step.SCAN, Step.READ_BACK} & set(order):
            # It takes the client's word.
            process = process._replace(found=frozenset(process.rows))
        missing = [event for event in process.rows if event not in process.found]
        if missing:
            return Move(f"{name} ({missing} were not read back: error)", _distrust(state, who))
        return Move(f"{name} {sorted(process.found)}", _with(state, who, at=process.at + 1, found=process.found))

    def _commit(self, state: State, who: int, name: str) -> Move[State]:
        if state.lock != who:
            return Move(f"{name} (the lock is gone: error)", _distrust(state, who))
        return Move(name, _idle(self._committed(state, who), who))

    def _committed(self, state: State, who: int) -> State:
        process = state.processes[who]
        rows = tuple("marked" if event in process.found else row for event, row in enumerate(state.rows))
        logs = tuple(log[end:] for log, end in zip(state.logs, process.read_to, strict=True))
        return state._replace(rows=rows, logs=logs)

    def _selected(self, state: State) -> tuple[int, ...]:
        if self._design.offsets_in_transaction:
            return tuple(event for event, row in enumerate(state.rows) if event >= state.offset and row != "none")
        last = -1
        if self._design.above_last_id:
            last = max((event for event, row in enumerate(state.rows) if row == "marked"), default=-1)
        return tuple(event for event, row in enumerate(state.rows) if row == "pending" and event > last)

    def _coordinator_of(self, who: int) -> int:
        return 0 if self._design.one_transactional_id else who

    def _all_stale(self, state: State, which: int) -> State:
        for who, process in enumerate(state.processes):
            if self._coordinator_of(who) == which and process.producer == "live":
                state = _with(state, who, producer="stale")
        return state

    # --- The broker ---------------------------------------------------------------------------------------------

    def _sends_end(self, state: State, who: int, *, commits: bool, end: str) -> State:
        which = self._coordinator_of(who)
        sent = tuple(sorted((*state.coordinators[which].sent, commits)))
        return _with(_at(state, which, state.coordinators[which]._replace(sent=sent)), who, end=end)

    def _coordinator_moves(self, state: State, which: int) -> Iterator[Move[State]]:
        coordinator = state.coordinators[which]
        for commits in sorted(set(coordinator.sent)):
            yield from self._end_arrives(state, which, commits)
        if coordinator.phase in ("committing", "aborting"):
            for partition in sorted(coordinator.parts):
                yield Move(f"broker: {coordinator.phase} partition {partition}", _marker(state, which, partition))

    def _end_arrives(self, state: State, which: int, commits: bool) -> Iterator[Move[State]]:
        coordinator = state.coordinators[which]
        sent = list(coordinator.sent)
        sent.remove(commits)
        ends, repeats = ("committing", "committed") if commits else ("aborting", "empty")
        after, succeeds = _at(state, which, coordinator._replace(sent=tuple(sent))), True
        if coordinator.phase == "ongoing":
            after = _at(after, which, after.coordinators[which]._replace(phase=ends))
            if commits and OFFSETS in coordinator.parts:
                after = after._replace(offset=coordinator.offset)
        else:
            succeeds = coordinator.phase in (ends, repeats)
        what = f"broker: EndTxn to {'commit' if commits else 'abort'}"
        who = self._waiting(state, which, commits)
        if who is None:
            yield Move(f"{what} (a late copy)", after)
            return
        process = state.processes[who]
        retried = process.end in ("retried", "abort-retried")
        if not succeeds:
            yield Move(f"{what} (refused)", _distrust(after, who))
        elif not commits:
            yield Move(what, _next_round(after, who))
        else:
            if not retried or self._world.retries_fast:
                yield Move(what, _with(after, who, end="fast"))
            if retried:
                yield Move(f"{what} (slow)", _with(after, who, end="slow"))
        if state.faults and not retried:
            again = self._sends_end(after, who, commits=commits, end="retried" if commits else "abort-retried")
            label = f"{what}, its answer is lost; relay {who} sends it again"
            yield Move(label, again._replace(faults=state.faults - 1), Kind.FAULT)

    def _waiting(self, state: State, which: int, commits: bool) -> int | None:
        ends = ("sent", "retried") if commits else ("aborting", "abort-retried")
        for who, process in enumerate(state.processes):
            if self._coordinator_of(who) == which and process.producer == "live" and process.end in ends:
                return who
        return None

    def _will_show(self, state: State, event: int) -> bool:
        return any(
            entry.event == event and entry.state == which and partition in coordinator.parts
            for which, coordinator in enumerate(state.coordinators)
            if coordinator.phase == "committing"
            for partition, log in enumerate(state.logs)
            for entry in log
        )

    # --- Faults -------------------------------------------------------------------------------------------------

    def _faults(self, state: State) -> Iterator[Move[State]]:
        for who, process in enumerate(state.processes):
            if process != Process():
                yield Move(f"relay {who}: KILLED, and started again", _distrust(state, who))
            if state.lock == who:
                yield Move(f"relay {who}: Postgres drops its connection", state._replace(lock=None))
                if self._steps[Trust.FENCED if process.fenced else Trust.UNFENCED][process.at] is Step.COMMIT:
                    label = f"relay {who}: commit is made, its answer is lost"
                    yield Move(label, _distrust(self._committed(state, who), who))
            if process.end in ("sent", "aborting"):
                end = "retried" if process.end == "sent" else "abort-retried"
                after = self._sends_end(state, who, commits=process.end == "sent", end=end)
                if process.producer == "live":
                    yield Move(f"relay {who}: no answer comes, sends EndTxn again", after)
            if process.end:
                yield Move(f"relay {who}: the commit times out", _distrust(state, who))
        for which, coordinator in enumerate(state.coordinators):
            if coordinator.phase == "ongoing":
                after = _at(state, which, coordinator._replace(phase="aborting", sent=()))
                yield Move("broker: the transaction times out", self._all_stale(after, which))
        for partition, log in enumerate(state.logs):
            if log and all(entry.state < 0 for entry in log):
                logs = tuple(() if p == partition else kept for p, kept in enumerate(state.logs))
                after = state._replace(logs=logs, deleted=state.deleted | {partition})
                yield Move(f"broker: retention deletes partition {partition} up to its end", after)


def _with(state: State, who: int, **changes: Any) -> State:
    processes = list(state.processes)
    processes[who] = processes[who]._replace(**changes)
    return state._replace(processes=tuple(processes))


def _at(state: State, which: int, coordinator: Coordinator) -> State:
    coordinators = list(state.coordinators)
    coordinators[which] = coordinator
    return state._replace(coordinators=tuple(coordinators))


def _append(state: State, partition: int, entry: Entry) -> State:
    logs = tuple((*log, entry) if p == partition else log for p, log in enumerate(state.logs))
    return state._replace(logs=logs)


def _copied(state: State, events: list[int]) -> State:
    copies = tuple(min(2, n + events.count(event)) for event, n in enumerate(state.copies))
    return state._replace(copies=copies)


def _idle(state: State, who: int) -> State:
    """The round has ended well."""
    return _with(_next_round(state._replace(lock=None), who), who, fenced=True)


def _next_round(state: State, who: int) -> State:
    """Only the producer and what is believed of it outlive a round."""
    process = state.processes[who]
    processes = list(state.processes)
    processes[who] = Process(process.fenced, producer=process.producer)
    return state._replace(processes=tuple(processes))


def _distrust(state: State, who: int) -> State:
    """All that the process knew is gone: it has died, or an error made it begin again. Its lock goes with it."""
    processes = tuple(Process() if n == who else process for n, process in enumerate(state.processes))
    return state._replace(processes=processes, lock=None if state.lock == who else state.lock)


def _marker(state: State, which: int, partition: int) -> State:
    """The end of the transaction becomes visible in one partition: it ends every open record that is there."""
    coordinator = state.coordinators[which]
    commits = coordinator.phase == "committing"
    parts = coordinator.parts - {partition}
    if parts:
        coordinator = coordinator._replace(parts=parts)
    else:
        coordinator = Coordinator("committed" if commits else "empty", sent=coordinator.sent)
    state = _at(state, which, coordinator)
    if partition == OFFSETS:
        return state
    log = state.logs[partition]
    became = COMMITTED if commits else ABORTED
    ended = tuple(entry._replace(state=became) if entry.state == which else entry for entry in log)
    logs = tuple(ended if p == partition else kept for p, kept in enumerate(state.logs))
    return _copied(state._replace(logs=logs), [entry.event for entry in log if entry.state == which and commits])
