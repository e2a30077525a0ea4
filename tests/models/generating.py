"""One job of two variations, from admission to its end, as a model: two generate processes, the sweeper, projectors.

What the sweeper repairs is `consumers.generation.diagnose`'s own verdict, and what the projector makes of the rows is
`consumers.projector.transitions`' own. The transitions of a variation are those of `storage.variations` and
`storage.sweeping`, by their names. What may happen:

- A process may die between any two effects: after a commit and before it publishes, before its offset, with work in
  memory. A stopped process makes no move, and its leases run out; then it goes on as if nothing had been.
- A projector may freeze with wake-ups in hand, for so long that another one takes its partition and passes them. Then
  it thaws and goes on, or it dies.
- A lease of a living process may run out (its renewals stall). Records are delivered again, and may be lost.
- A cancel, the deadline and a provider that wants a retry may come at any moment. So may the sweeper: early is
  harmless, or it shows.

Wake-ups are counted up to two: a third is read in the same batch as the second. Of attempt numbers only equality and
order are kept.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any, Final, NamedTuple

from consumers.generation.diagnose import Repairs, diagnose
from consumers.projector.transitions import transition
from storage.projection import ClaimFacts, Facts, JobRow, VariationFacts
from storage.sweeping import MAX_LOSSES, WALK_START, RunningJob
from tests.models.exploring import Kind, Move

VARIATIONS: Final = 2
ENDED: Final = frozenset({"succeeded", "failed", "canceled"})
_JOB: Final = uuid.UUID(int=1)
_MOST_UNREAD: Final = 2
_NEVER: Final = -1


@dataclass(frozen=True)
class Design:
    """What the stages do. The defaults are the stages; each change is a design known to be wrong."""

    checks_attempt: bool = True
    checks_state: bool = True
    claims_raise_attempt: bool = True
    ends_raise_attempt: bool = True
    """Of a cancel, a deadline and a third loss."""
    counts_losses: bool = True
    counts_wakeups: bool = False
    """The projector adds up what wake-ups tell, instead of counting rows."""
    settles: str = "with"
    """with the terminal transition; or before it, or after it, in a transaction of its own"""
    repeats: str = "untold"
    """What publishes an ended job's event again: a wake-up while its end is untold; or the wake-ups up to the one that
    ended it, by their offsets; or nothing"""
    without: frozenset[str] = frozenset()
    """Repairs that the sweeper leaves out."""


@dataclass(frozen=True)
class World:
    """What may happen around the stages."""

    surprises: int = 2
    """So many faults, cancels, deadlines and retries together, in any order."""
    trouble: str = ""
    """Variation 0 kills whatever process works on it; or it hangs, until its deadline."""
    among: tuple[str, ...] = ()
    """Only surprises that begin so, where it is known what breaks a design: a search for less is a quicker one."""


class Row(NamedTuple):
    """A row of `variations`. `claims` counts its leases: the truth that `attempt` must tell apart."""

    state: str = "none"
    attempt: int = 0
    losses: int = 0
    expired: bool = False
    claims: int = 0


class Lease(NamedTuple):
    """What a process believes it holds."""

    variation: int
    attempt: int
    claims: int


class State(NamedTuple):
    """Everything."""

    rows: tuple[Row, ...] = (Row(),) * VARIATIONS
    held: tuple[frozenset[Lease], ...] = (frozenset(), frozenset())
    """In the memory of each generate process."""
    unsaid: frozenset[int] = frozenset()
    """Processes that have committed the end of a variation and not published it; 2 is the sweeper."""
    accepted: str = "unread"
    """The CloneAccepted in clone.admissions: unread or gone."""
    canceled: str = "none"
    """The CloneCanceled: none (no cancel was accepted), unread, gone."""
    late: bool = False
    unread: int = 0
    """Wake-ups in clone.variation-results."""
    reading: tuple[str, int] = ("", 0)
    """The projector's batch: what it does next with it, and its size."""
    frozen: str = ""
    """What a projector does next that has lost its partition and does not know it."""
    status: str = "running"
    untold: bool = False
    """The row of `untold_ends`, and the job in it."""
    ended_by: int = _NEVER
    """The wake-up that ended the job, counted from the first one whose offset is not committed."""
    counted: int = 0
    settled: int = 0
    charged: int = 0
    completions: int = 0
    told: bool = False
    """The terminal event is in clone.job-events."""
    violation: str | None = None
    surprises: int = 0


class GenerationModel:
    """See the module."""

    def __init__(self, design: Design, world: World) -> None:
        self._design = design
        self._world = world

    def initial(self) -> State:
        """The job is accepted; nothing else has happened."""
        return State(surprises=self._world.surprises)

    def wrong(self, state: State) -> str | None:
        """What no reader of the tables may ever see."""
        if state.violation is not None:
            return state.violation
        if state.settled > 1:
            return "SETTLED TWICE."
        if state.status == "running":
            return None
        if any(row.state not in ENDED for row in state.rows):
            return f"LOST: the job is {state.status}, and a variation has not ended."
        succeeded = sum(row.state == "succeeded" for row in state.rows)
        if state.settled and state.charged != succeeded:
            return f"MISCHARGED: {succeeded} succeeded and {state.charged} are charged."
        if state.completions != (state.status == "completed"):
            return f"The job is {state.status} with {state.completions} completion events."
        return None

    def done(self, state: State) -> bool:
        """The job has ended, is settled, whoever listens was told, and nobody means to tell it again."""
        return state.status != "running" and state.settled == 1 and state.told and not state.untold

    def moves(self, state: State) -> Iterator[Move[State]]:
        """All that can happen."""
        for label, after, kind in self._moves(state):
            yield Move(label, _renumbered(after), kind)

    def _moves(self, state: State) -> Iterator[Move[State]]:
        if self.done(state) and not any(state.held):
            return
        for who in range(2):
            yield from self._admissions(state, who)
            yield from self._work(state, who)
        for who in sorted(state.unsaid):
            after = _woken(state._replace(unsaid=state.unsaid - {who}))
            yield Move(f"{_name(who)}: publishes VariationsFinished", after)
        yield from self._sweep(state)
        yield from self._project(state)
        yield from self._thaw(state)
        yield from self._time(state)
        if state.surprises:
            fewer = state._replace(surprises=state.surprises - 1)
            faults = (move._replace(kind=Kind.FAULT) for move in self._faults(fewer))
            for move in chain(self._outside(fewer), faults):
                if move.label.startswith(self._world.among or ""):
                    yield move

    # --- generate -----------------------------------------------------------------------------------------------

    def _admissions(self, state: State, who: int) -> Iterator[Move[State]]:
        if state.accepted == "unread":
            for room in (0, 1):
                after = self._fan_out(state, who, room)._replace(accepted="gone")
                yield Move(f"generate {who}: fan_out, room for {room}", after)
        elif state.canceled == "unread":
            after = _woken(self._cancel(state)._replace(canceled="gone"))
            yield Move(f"generate {who}: cancel", after)

    def _fan_out(self, state: State, who: int | None, room: int) -> State:
        if state.status != "running" or state.canceled != "none":
            return state
        for index, row in enumerate(state.rows):
            if row.state == "none" and index < room:
                state = _leased(_put(state, index, row._replace(state="leased", attempt=1, claims=1)), who, index)
            elif row.state == "none":
                state = _put(state, index, row._replace(state="pending"))
        return state

    def _cancel(self, state: State) -> State:
        for index, row in enumerate(state.rows):
            if row.state not in ENDED:
                state = self._end(state, index, "canceled")
        return state

    def _claim(self, state: State, who: int | None, index: int) -> State:
        row = state.rows[index]
        attempt = row.attempt + (self._design.claims_raise_attempt or row.attempt == 0)
        taken = row._replace(state="leased", attempt=attempt, claims=row.claims + 1, expired=False)
        return _leased(_put(state, index, taken), who, index)

    def _work(self, state: State, who: int) -> Iterator[Move[State]]:
        for index, row in enumerate(state.rows):
            if row.state == "pending":
                yield Move(f"generate {who}: claim {index}", self._claim(state, who, index))
        for lease in sorted(state.held[who]):
            row = state.rows[lease.variation]
            name = f"generate {who}: {{}} {lease.variation}, attempt {lease.attempt}"
            without = _held(state, who, state.held[who] - {lease})
            mine = self._matches(row, lease)
            troubled = lease.variation == 0 and self._world.trouble
            if troubled == "kills":
                yield Move(name.format("DIES of"), self._died(state, who))
                continue
            for verb, end in (("succeed", "succeeded"), ("fail", "failed")):
                if troubled:
                    break
                if mine:
                    after = self._result(without, lease, end)
                    yield Move(name.format(verb), after._replace(unsaid=after.unsaid | {who}))
                else:
                    yield Move(name.format(f"{verb} (not taken)"), without)
            if mine and row.state == "leased" and state.surprises:
                back = _put(without, lease.variation, row._replace(state="pending", expired=False))
                yield Move(name.format("put_back"), back._replace(surprises=state.surprises - 1), Kind.OTHER)
            if not mine:
                yield Move(name.format("renew (it is lost)"), without)
            elif row.expired:
                yield Move(name.format("renew"), _put(state, lease.variation, row._replace(expired=False)))

    def _matches(self, row: Row, lease: Lease) -> bool:
        """The WHERE of succeed, fail, put_back and renew."""
        return (row.state == "leased" or not self._design.checks_state) and (
            row.attempt == lease.attempt or not self._design.checks_attempt
        )

    def _result(self, state: State, lease: Lease, end: str) -> State:
        row = state.rows[lease.variation]
        if row.state == "leased" and row.claims != lease.claims:
            stale = f"STALE: the result of lease {lease.claims} is taken while lease {row.claims} runs."
            state = state._replace(violation=stale)
        return _written(state, lease.variation, row._replace(state=end, expired=False))

    def _end(self, state: State, index: int, end: str) -> State:
        row = state.rows[index]
        attempt = row.attempt + (self._design.ends_raise_attempt and row.state != "none")
        return _written(state, index, row._replace(state=end, attempt=attempt, expired=False))

    def _died(self, state: State, who: int) -> State:
        return _held(state, who, frozenset())._replace(unsaid=state.unsaid - {who})

    # --- the sweeper --------------------------------------------------------------------------------------------

    def _sweep(self, state: State) -> Iterator[Move[State]]:
        after = self._swept(state)
        if after != state:
            yield Move("sweeper: repairs and commits", after)

    def _swept(self, state: State) -> State:
        news = False
        for index, row in enumerate(state.rows):
            if row.state != "leased" or not row.expired:
                continue
            if row.losses < MAX_LOSSES - 1 and "requeue_lost" not in self._design.without:
                losses = row.losses + self._design.counts_losses
                state = _put(state, index, row._replace(state="pending", losses=losses, expired=False))
            elif row.losses >= MAX_LOSSES - 1:
                state, news = self._end(state, index, "failed"), True
        repairs = self._diagnosed(state)
        if repairs.cancel and "cancel" not in self._design.without:
            state, news = self._cancel(state), True
        if repairs.add_missing and "add_missing" not in self._design.without:
            state = self._fan_out(state, None, room=0)
        if repairs.fail_late and "fail_late" not in self._design.without:
            for index, row in enumerate(state.rows):
                if row.state in ("pending", "leased"):
                    state, news = self._end(state, index, "failed"), True
        if repairs.announce and not state.unread and "announce" not in self._design.without:
            news = True
        if state.untold and not state.unread and "tell" not in self._design.without:
            news = True
        return state._replace(unsaid=state.unsaid | {2}) if news else state

    def _diagnosed(self, state: State) -> Repairs:
        if state.status != "running":
            return Repairs()
        canceled = state.canceled != "none"
        job = RunningJob(
            place=WALK_START,
            container_id=_JOB,
            traceparent=None,
            requested=VARIATIONS,
            rows=sum(row.state != "none" for row in state.rows),
            ended=sum(row.state in ENDED for row in state.rows),
            quiet=True,
            canceled=canceled,
            cancel_overdue=canceled,
            late=state.late,
        )
        return diagnose([job])

    # --- project ------------------------------------------------------------------------------------------------

    def _project(self, state: State) -> Iterator[Move[State]]:
        doing, size = state.reading
        if not doing and state.unread:
            yield Move("project: recounts and commits", self._projected(state))
        elif doing == "settle":
            yield Move("project: settles", _settled(state)._replace(reading=("publish", size)))
        elif doing == "end":
            yield Move("project: ends the job", self._ended(state, size - 1)._replace(reading=("publish", size)))
        elif doing == "publish":
            yield Move("project: publishes the event", state._replace(reading=("forget", size), told=True))
        elif doing == "forget":
            yield Move("project: forgets the end", state._replace(reading=("offset", size), untold=False))
        elif doing == "offset":
            ended_by = max(_NEVER, state.ended_by - size)
            after = state._replace(reading=("", 0), unread=state.unread - size, ended_by=ended_by)
            if self._design.repeats == "by offset" and state.frozen == "recount":
                after = after._replace(frozen="recount what is committed")
            yield Move("project: commits its offset", after)

    def _projected(self, state: State) -> State:
        size = state.unread
        counted = min(VARIATIONS, state.counted + size) if self._design.counts_wakeups else 0
        state = state._replace(counted=counted, reading=("offset", size))
        if self._change(state) is None:
            return state._replace(reading=("publish", size)) if self._repeats(state) else state
        if self._design.settles == "before":
            return _settled(state)._replace(reading=("end", size))
        ended = self._ended(state, size - 1)
        if self._design.settles == "after":
            return ended._replace(reading=("settle", size))
        return _settled(ended)._replace(reading=("publish", size))

    def _thaw(self, state: State) -> Iterator[Move[State]]:
        """What a projector does that was frozen while another passed its wake-ups. Its offsets are not taken."""
        if state.frozen.startswith("recount"):
            after = state._replace(frozen="publish" if self._repeats(state) else "")
            if self._change(state) is not None:
                last = 0 if state.frozen == "recount" else _NEVER
                after = _settled(self._ended(state, last))._replace(frozen="publish")
            yield Move("project, thawed: recounts and commits", after)
        elif state.frozen == "publish":
            yield Move("project, thawed: publishes the event", state._replace(frozen="forget", told=True))
        elif state.frozen == "forget":
            yield Move("project, thawed: forgets the end", state._replace(frozen="", untold=False))

    def _repeats(self, state: State) -> bool:
        """Whether a wake-up that is read now, the first that is not committed, has the event published again."""
        if self._design.repeats == "by offset":
            return state.status != "running" and state.ended_by > _NEVER
        return state.untold

    def _change(self, state: State) -> str | None:
        """The status in which the job ends now, if it ends."""
        if self._design.counts_wakeups and state.status == "running":
            return "completed" if state.counted == VARIATIONS else None
        change = transition(_facts(state), now_ms=0)
        return None if change is None or change.status == "running" else change.status

    def _ended(self, state: State, last: int) -> State:
        """The job ends, by a batch whose last wake-up is this one."""
        status = self._change(state) or "failed"
        completions = state.completions + (status == "completed")
        ended = state._replace(status=status, completions=completions)
        if self._design.repeats == "by offset":
            return ended._replace(ended_by=last)
        return ended._replace(untold=self._design.repeats == "untold")

    # --- time and faults ----------------------------------------------------------------------------------------

    def _time(self, state: State) -> Iterator[Move[State]]:
        for index, row in enumerate(state.rows):
            alive = any(Lease(index, row.attempt, row.claims) in held for held in state.held)
            if row.state == "leased" and not row.expired and not alive:
                yield Move(f"time: the lease of {index} runs out", _put(state, index, row._replace(expired=True)))
        if self._world.trouble == "hangs" and not state.late:
            yield Move("time: the deadline passes", state._replace(late=True))

    def _outside(self, state: State) -> Iterator[Move[State]]:
        if state.status != "running":
            return
        if not state.late:
            yield Move("time: the deadline passes", state._replace(late=True), Kind.OTHER)
        if state.canceled == "none" and any(row.state not in ENDED for row in state.rows):
            yield Move("dedup: a cancel is accepted", state._replace(canceled="unread"), Kind.OTHER)

    def _faults(self, state: State) -> Iterator[Move[State]]:
        for who in range(2):
            if state.held[who] or who in state.unsaid:
                yield Move(f"generate {who}: KILLED", self._died(state, who))
        for index, row in enumerate(state.rows):
            if row.state == "leased" and not row.expired:
                yield Move(f"time: the lease of {index} is not renewed", _put(state, index, row._replace(expired=True)))
            if row.state == "pending":
                yield Move(f"generate: claim {index}, KILLED after its commit", self._claim(state, None, index))
        if 2 in state.unsaid:
            yield Move("sweeper: KILLED before it publishes", state._replace(unsaid=state.unsaid - {2}))
        if state.accepted == "unread":
            yield Move("generate: fan_out, KILLED before its offset", self._fan_out(state, None, 1))
            yield Move("generate 0: fan_out, the record comes again", self._fan_out(state, 0, 1))
            yield Move("broker: CloneAccepted is lost", state._replace(accepted="gone"))
        elif state.canceled == "unread":
            yield Move("generate: cancel, KILLED before it publishes", self._cancel(state))
            yield Move("broker: CloneCanceled is lost", state._replace(canceled="gone"))
        if state.reading[0]:
            unread, ended_by = min(_MOST_UNREAD, state.unread), min(_MOST_UNREAD - 1, state.ended_by)
            gone = state._replace(reading=("", 0), unread=unread, ended_by=ended_by)
            yield Move("project: KILLED", gone)
            if not state.frozen and state.reading[0] in ("publish", "forget"):
                yield Move("project: FROZEN, another takes its partition", gone._replace(frozen=state.reading[0]))
        elif state.unread:
            yield Move("broker: a VariationsFinished comes twice", _woken(state))
            yield Move("broker: every VariationsFinished is lost", state._replace(unread=0, ended_by=_NEVER))
            if not state.frozen:
                frozen = state._replace(frozen="recount")
                yield Move("project: FROZEN with its wake-ups, another takes its partition", frozen)
        if state.frozen:
            yield Move("project, frozen: KILLED", state._replace(frozen=""))


def _name(who: int) -> str:
    return "sweeper" if who == 2 else f"generate {who}"


def _renumbered(state: State) -> State:
    """Of attempts and leases only equality and order matter: states that differ in the numbers alone are the same."""
    rows, held = _ranked(state.rows, state.held)
    return state._replace(rows=rows, held=held)


@cache
def _ranked(
    rows: tuple[Row, ...], held: tuple[frozenset[Lease], ...]
) -> tuple[tuple[Row, ...], tuple[frozenset[Lease], ...]]:
    ranked: list[Row] = []
    renamed: dict[Lease, Lease] = {}
    for index, row in enumerate(rows):
        leases = [lease for leases in held for lease in leases if lease.variation == index]
        attempts = sorted({0, row.attempt, *(lease.attempt for lease in leases)})
        claims = sorted({0, row.claims, *(lease.claims for lease in leases)})
        ranked.append(row._replace(attempt=attempts.index(row.attempt), claims=claims.index(row.claims)))
        for lease in leases:
            renamed[lease] = Lease(index, attempts.index(lease.attempt), claims.index(lease.claims))
    return tuple(ranked), tuple(frozenset(renamed[lease] for lease in leases) for leases in held)


def _put(state: State, index: int, row: Row) -> State:
    rows = list(state.rows)
    rows[index] = row
    return state._replace(rows=tuple(rows))


def _written(state: State, index: int, row: Row) -> State:
    """A variation ends. One that had ended must not."""
    if state.rows[index].state in ENDED:
        before, after = state.rows[index].state, row.state
        state = state._replace(violation=f"DOUBLED: variation {index} was {before} and becomes {after}.")
    return _put(state, index, row)


def _held(state: State, who: int, leases: frozenset[Lease]) -> State:
    return state._replace(held=tuple(leases if n == who else held for n, held in enumerate(state.held)))


def _leased(state: State, who: int | None, index: int) -> State:
    """The process knows of its lease; nobody does where it died in between."""
    row = state.rows[index]
    return state if who is None else _held(state, who, state.held[who] | {Lease(index, row.attempt, row.claims)})


def _woken(state: State) -> State:
    # One that comes while a batch is read is not of the batch.
    most = max(_MOST_UNREAD, state.reading[1] + 1)
    return state._replace(unread=min(most, state.unread + 1))


def _settled(state: State) -> State:
    succeeded = sum(row.state == "succeeded" for row in state.rows)
    return state._replace(settled=state.settled + 1, charged=succeeded)


def _facts(state: State) -> Facts:
    """The rows as the projector reads them."""
    return _facts_of(state.rows, state.status)


@cache
def _facts_of(rows: tuple[Row, ...], status: str) -> Facts:
    job = JobRow(_JOB, status, "queued", 0.0, 1, None)
    claim: Any = dict.fromkeys(ClaimFacts._fields)
    claim |= {"job_id": _JOB, "variations": VARIATIONS, "variation_price": 1}
    variations = []
    for index, row in enumerate(rows):
        code, message = ("PROVIDER_ERROR", "It failed.") if row.state == "failed" else (None, None)
        if row.state != "none":
            made = VariationFacts(index, row.state, row.attempt, None, None, None, None, code, message, None)
            variations.append(made)
    return Facts(job, ClaimFacts(**claim), tuple(variations))
