"""Any order of a variation's transitions, by workers that hold leases and workers that only think so, on real Postgres.

The reference is a dictionary of rows; each rule says what it does to one in a line or two. After every rule the table
is compared with it, and at the end the sweeper must bring every job to its end.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from storage import sweeping, variations
from storage.admin import create_database, drop_database
from storage.connection import Database
from storage.sweeping import MAX_LOSSES
from storage.variations import Lease
from tests.dedup.world import Project
from tests.generation.test_transitions import LEASE, claim, do, failure, success
from tests.generation.world import Job, Jobs
from tests.servers import TEMPLATE, database_at

WORKER: Final = uuid.UUID(int=1)
ENDED: Final = ("succeeded", "failed", "canceled")
_MOST_JOBS: Final = 3


@dataclass(frozen=True)
class Row:
    """What the reference knows of one variation."""

    state: str
    attempt: int = 0
    losses: int = 0
    expired: bool = False
    made_by: int | None = None
    """The attempt whose creative it has."""
    error: str | None = None


@dataclass
class Told:
    """A job, and what was told of it."""

    job: Job
    late: bool
    canceled: bool = False


class Generation(RuleBasedStateMachine):
    """See the module. Leases that were ever given stay in the bundle: whoever held one may write at any time."""

    leases = Bundle("leases")

    def __init__(self, database: Database, jobs: Jobs, project: Project) -> None:
        super().__init__()
        jobs.execute("TRUNCATE variations, cancellations, jobs, claims")
        self._database = database
        self._jobs = jobs
        self._project = project
        self._told: list[Told] = []
        self._rows: dict[tuple[uuid.UUID, int], Row] = {}

    def _let_start(self) -> None:
        # Well past: set to this instant, a row was seen not to be claimed by the statement after it.
        self._jobs.execute(
            "UPDATE variations SET not_before = clock_timestamp() - interval '1 minute' WHERE state = 'pending'"
        )

    def _one(self, number: int) -> Told:
        return self._told[number % len(self._told)]

    def _do(self, transition: Any, *arguments: Any, **named: Any) -> Any:
        return do(self._database, transition, *arguments, **named)

    def _held(self, lease: Lease) -> Row | None:
        """The row, if this lease is the one that holds it."""
        row = self._rows[lease.job_id, lease.index]
        return row if row.state == "leased" and row.attempt == lease.attempt else None

    def _become(self, job: Job, states: tuple[str, ...], **changes: Any) -> list[int]:
        """Have the job's rows in these states end, their attempts raised."""
        ended = [index for (job_id, index), row in self._rows.items() if job_id == job.job_id and row.state in states]
        for index in ended:
            row = self._rows[job.job_id, index]
            self._rows[job.job_id, index] = replace(row, attempt=row.attempt + 1, expired=False, **changes)
        return sorted(ended)

    @precondition(lambda self: len(self._told) < _MOST_JOBS)
    @rule(count=st.integers(1, 3), late=st.sampled_from([False, False, True]))
    def accept(self, count: int, late: bool) -> None:
        job = self._jobs.accept(self._project, variations=count, deadline_in_seconds=-1.0 if late else 3_600.0)
        self._told.append(Told(job, late))

    @precondition(lambda self: self._told)
    @rule(target=leases, number=st.integers(0, 2), room=st.integers(0, 3))
    def fan_out(self, number: int, room: int) -> MultipleResults[Lease]:
        told = self._one(number)
        given, pending = self._do(
            variations.fan_out, [told.job.job_id], room=room, worker_id=WORKER, lease_seconds=LEASE
        )
        missing = [i for i in range(told.job.variations) if (told.job.job_id, i) not in self._rows]
        missing = [] if told.canceled else missing
        assert sorted(lease.index for lease in given) == [i for i in missing if i < room]
        assert pending == len([i for i in missing if i >= room])
        for i in missing:
            self._rows[told.job.job_id, i] = Row("leased", 1) if i < room else Row("pending")
        return multiple(*sorted(given))

    @rule(target=leases)
    def claim(self) -> MultipleResults[Lease]:
        # All that wait, in the order of the jobs: which of them a few slots take is Postgres' to choose.
        self._let_start()
        waiting = {key for key, row in self._rows.items() if row.state == "pending"}
        order = [told.job.job_id for told in self._told]
        taken = sorted(claim(self._database, WORKER, 100), key=lambda lease: (order.index(lease.job_id), lease.index))
        assert {(lease.job_id, lease.index) for lease in taken} == waiting
        for lease in taken:
            row = self._rows[lease.job_id, lease.index]
            assert (row.state, row.attempt + 1) == ("pending", lease.attempt)
            self._rows[lease.job_id, lease.index] = replace(row, state="leased", attempt=lease.attempt, expired=False)
        return multiple(*taken)

    @rule(lease=leases, succeeds=st.booleans())
    def end(self, lease: Lease, succeeds: bool) -> None:
        row = self._held(lease)
        if succeeds:
            taken = self._do(variations.succeed, [success(lease, f"by {lease.attempt}")])
            ended = {"state": "succeeded", "made_by": lease.attempt}
        else:
            taken = self._do(variations.fail, [failure(lease)])
            ended = {"state": "failed", "error": "PROVIDER_ERROR"}
        assert taken == ({lease} if row else set())
        if row:
            self._rows[lease.job_id, lease.index] = replace(row, expired=False, **ended)  # type: ignore[arg-type]

    @rule(lease=leases)
    def put_back(self, lease: Lease) -> None:
        self._do(variations.put_back, [(lease, 0.0)], retry=False)
        if row := self._held(lease):
            self._rows[lease.job_id, lease.index] = replace(row, state="pending", expired=False)

    @rule(lease=leases)
    def renew(self, lease: Lease) -> None:
        row = self._held(lease)
        assert self._do(variations.renew, [lease], lease_seconds=LEASE) == ({lease} if row else set())
        if row:
            self._rows[lease.job_id, lease.index] = replace(row, expired=False)

    @precondition(lambda self: self._told)
    @rule(number=st.integers(0, 2))
    def expire(self, number: int) -> None:
        job = self._one(number).job
        self._jobs.expire_leases(job)
        for key, row in self._rows.items():
            if key[0] == job.job_id and row.state == "leased":
                self._rows[key] = replace(row, expired=True)

    @rule()
    def sweep_leases(self) -> None:
        requeued, ended = self._do(sweeping.requeue_lost), self._do(sweeping.fail_lost)
        expired = {key: row for key, row in self._rows.items() if row.expired}
        third = {key for key, row in expired.items() if row.losses == MAX_LOSSES - 1}
        assert requeued == len(expired) - len(third)
        assert {(one.job_id, index) for one in ended for index in one.indexes} == third
        for key, row in expired.items():
            lost = replace(row, losses=row.losses + 1, expired=False)
            if key in third:
                self._rows[key] = replace(lost, state="failed", attempt=row.attempt + 1, error="WORKER_LOST")
            else:
                self._rows[key] = replace(lost, state="pending")

    @precondition(lambda self: self._told)
    @rule(number=st.integers(0, 2))
    def add_missing(self, number: int) -> None:
        told = self._one(number)
        missing = [i for i in range(told.job.variations) if (told.job.job_id, i) not in self._rows]
        missing = [] if told.canceled else missing
        assert self._do(sweeping.add_missing, [told.job.job_id]) == len(missing)
        for i in missing:
            self._rows[told.job.job_id, i] = Row("pending")

    @precondition(lambda self: self._told)
    @rule(number=st.integers(0, 2))
    def fail_late(self, number: int) -> None:
        told = self._one(number)
        ended = self._do(sweeping.fail_late, [told.job.job_id])
        changes = {"state": "failed", "error": "DEADLINE_EXCEEDED"}
        expected = self._become(told.job, ("pending", "leased"), **changes) if told.late else []
        assert [list(one.indexes) for one in ended] == ([expected] if expected else [])

    @precondition(lambda self: self._told)
    @rule(number=st.integers(0, 2), accepted=st.booleans())
    def cancel(self, number: int, accepted: bool) -> None:
        told = self._one(number)
        if accepted and not told.canceled:
            self._jobs.cancel(told.job)
            told.canceled = True
        self._do(variations.cancel, [told.job.job_id])
        if told.canceled:
            self._become(told.job, ("pending", "leased"), state="canceled")
            for i in range(told.job.variations):
                self._rows.setdefault((told.job.job_id, i), Row("canceled"))

    @invariant()
    def the_table_is_as_the_reference_says(self) -> None:
        found = self._jobs.rows(
            """SELECT job_id, variation_index, state, attempt, losses, lease_until < clock_timestamp() AS expired,
                      creative->>'hook' AS hook, error_code FROM variations"""
        )
        assert {(row.pop("job_id"), row.pop("variation_index")): row for row in found} == {
            key: {
                "state": row.state,
                "attempt": row.attempt,
                "losses": row.losses,
                "expired": row.expired if row.state == "leased" else None,
                "hook": None if row.made_by is None else f"by {row.made_by}",
                "error_code": row.error,
            }
            for key, row in self._rows.items()
        }

    def teardown(self) -> None:
        """Nobody works any more but one worker and the sweeper: every job ends with all its variations."""
        for number in range(len(self._told)):
            self.expire(number)
        self.sweep_leases()
        for number, told in enumerate(self._told):
            self.add_missing(number)
            self.cancel(number, told.canceled)
        self._let_start()
        while taken := claim(self._database, WORKER, 100):
            self._do(variations.succeed, [success(lease) for lease in taken])
        for told in self._told:
            states = self._jobs.states(told.job)
            assert len(states) == told.job.variations
            assert set(states) <= set(ENDED)


@pytest.fixture
def bench(postgres: str) -> Iterator[tuple[Database, Jobs]]:
    """A database that every run of the machine begins with empty tables."""
    name = f"any_order_{uuid.uuid4().hex[:12]}"
    create_database(postgres, name, template=TEMPLATE)
    url = database_at(postgres, name)
    database = Database(url, application_name="test-any-order")
    with psycopg.connect(url, autocommit=True) as connection:
        yield database, Jobs(connection)
    database.close()
    drop_database(postgres, name)


def test_any_order_of_transitions_keeps_to_the_reference(bench: tuple[Database, Jobs]) -> None:
    database, jobs = bench
    project = jobs.branded()

    class Here(Generation):
        """On this test's database."""

        def __init__(self) -> None:
            super().__init__(database, jobs, project)

    bounds = settings(max_examples=40, stateful_step_count=30, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Here, settings=bounds)
