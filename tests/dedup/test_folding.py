"""A batch equals its records judged one by one, on real Postgres: any split, any redelivery, the same tables and bytes.

The record-by-record run reads its state from the tables each time; the batches fold theirs in memory. So the property
holds `decide`'s folding against what the database would have said.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.connection import Database
from tests.dedup.records import Read, cancel_of, clone
from tests.dedup.stage import Outputs, Stage
from tests.dedup.world import VIDEO_PRICE, Project, World

_CREDIT: Final = 6 * VIDEO_PRICE
_CONTAINERS: Final = tuple(uuid.uuid5(uuid.NAMESPACE_OID, f"container {n}") for n in range(4))
# Times of the database's clock differ between two runs; everything else of a record must not.
_TIMES: Final = ("acceptedAt", "deadlineAt", "canceledAt")
_WRITTEN: Final = "claims, jobs, refusals, cancellations, idempotency_keys, project_ordinals, dedup_progress"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request or cancel, in terms of the small world below."""

    project: int
    container: int
    variations: int
    key: str | None
    canceled: bool
    stranger: bool

    def record(self, projects: list[Project], offset: int) -> Read:
        project = projects[self.project]
        request = clone(project, _CONTAINERS[self.container], variations=self.variations, idempotencyKey=self.key)
        if self.canceled:
            changes = {"orgId": str(projects[2 - self.project].org_id)} if self.stranger else {}
            request = cancel_of(request, **changes)
        return request.asking(0, f"req-{offset}").at(0, offset)


# Variations of 11 are malformed; few containers and keys, so that most requests meet an earlier one.
_asked: Final = st.builds(
    Asked,
    project=st.integers(0, 2),
    container=st.integers(0, len(_CONTAINERS) - 1),
    variations=st.sampled_from([1, 1, 2, 4, 11]),
    key=st.sampled_from([None, None, "K", "L"]),
    canceled=st.sampled_from([False, False, True]),
    stranger=st.booleans(),
).filter(lambda asked: not (asked.canceled and asked.variations == 11))


@dataclass(frozen=True, slots=True)
class Run:
    """What a run left behind: outputs by offset, and tables, without the times."""

    outputs: list[list[tuple[str, int | None, dict[str, Any]]]]
    tables: dict[str, list[dict[str, Any]]]


class Bench:
    """A small world on one database: two projects of one organisation, one of another; capped in jobs and credits."""

    def __init__(self, stage: Stage, world: World) -> None:
        self._stage = stage
        self._world = world
        org_id = world.organization(credit=_CREDIT, max_running_jobs=3)
        self.projects = [world.project(org_id), world.project(org_id), world.project(credit=_CREDIT)]

    def run(self, records: list[Read], batches: list[tuple[int, int]]) -> Run:
        """Handle records[start:end] of each batch in a process of its own; starts over from empty tables."""
        self._world.execute(f"TRUNCATE {_WRITTEN}")
        self._world.execute("DELETE FROM credit_ledger WHERE kind = 'reserve'")
        self._world.execute("UPDATE wallets SET available = %s, reserved = 0, running_jobs = 0", _CREDIT)
        outputs: list[list[Any] | None] = [None] * len(records)
        firsts: dict[int, Outputs] = {}
        for start, end in batches:
            published = self._stage.redeliver(*records[start:end])
            by_offset = _by_offset(published, records[start:end])
            for offset, found in zip(range(start, end), by_offset, strict=True):
                if offset in firsts:
                    assert firsts[offset] == found, "redelivery gave other bytes"
                firsts[offset] = found
                outputs[offset] = _without_times(found)
        assert None not in outputs
        return Run([found or [] for found in outputs], self._tables())

    def _tables(self) -> dict[str, list[dict[str, Any]]]:
        for project in self.projects:
            self._world.wallet(project.org_id)
        statements = {
            "claims": "SELECT org_id, container_id, job_id, ordinal, record_offset FROM claims ORDER BY job_id",
            "jobs": "SELECT job_id, org_id, status FROM jobs ORDER BY job_id",
            "refusals": "SELECT kind, org_id, job_id, code, message, details, record_offset FROM refusals ORDER BY 7",
            "cancellations": "SELECT job_id, record_offset FROM cancellations ORDER BY job_id",
            "keys": "SELECT org_id, idempotency_key, job_id FROM idempotency_keys ORDER BY 1, 2",
            "ordinals": "SELECT * FROM project_ordinals ORDER BY 1, 2",
            "wallets": "SELECT * FROM wallets ORDER BY org_id",
            "progress": "SELECT * FROM dedup_progress",
        }
        return {name: self._world.rows(statement) for name, statement in statements.items()}


def _by_offset(outputs: Outputs, records: list[Read]) -> list[Outputs]:
    """The outputs of each record: its reply closes them, for every record here asks for one."""
    found: list[Outputs] = []
    taken = 0
    for number, record in enumerate(outputs.records):
        if record.topic == "clone.replies":
            found.append(Outputs(outputs.records[taken : number + 1]))
            taken = number + 1
    assert taken == len(outputs.records)
    assert len(found) == len(records)
    return found


def _without_times(outputs: Outputs) -> list[tuple[str, int | None, dict[str, Any]]]:
    told: list[tuple[str, int | None, dict[str, Any]]] = [
        (name, None, {field: value for field, value in record.items() if field not in _TIMES})
        for name, record in outputs.admissions()
    ]
    return told + [("CloneReply", outputs.records[-1].partition, reply) for reply in outputs.replies()]


@pytest.fixture(scope="module")
def bench(postgres: str) -> Iterator[Bench]:
    from storage.admin import create_database, drop_database
    from tests.servers import TEMPLATE, database_at

    name = f"folding_{uuid.uuid4().hex[:12]}"
    create_database(postgres, name, template=TEMPLATE)
    url = database_at(postgres, name)
    database = Database(url, application_name="test-folding")
    with psycopg.connect(url, autocommit=True) as connection:
        world = World(connection)
        yield Bench(Stage(database, world), world)
    database.close()
    drop_database(postgres, name)


@st.composite
def _deliveries(draw: st.DrawFn) -> tuple[list[Asked], list[tuple[int, int]]]:
    """Requests, and batches that cover them in order; each may begin again before the end of the last."""
    asked = draw(st.lists(_asked, min_size=1, max_size=16))
    batches: list[tuple[int, int]] = []
    done = 0
    while done < len(asked):
        start = draw(st.integers(max(0, done - 4), done))
        done = draw(st.integers(done + 1, len(asked)))
        batches.append((start, done))
    return asked, batches


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(delivery=_deliveries())
def test_a_batch_equals_its_records_one_by_one(
    bench: Bench, delivery: tuple[list[Asked], list[tuple[int, int]]]
) -> None:
    asked, batches = delivery
    records = [one.record(bench.projects, offset) for offset, one in enumerate(asked)]
    one_by_one = bench.run(records, [(offset, offset + 1) for offset in range(len(records))])
    assert bench.run(records, batches) == one_by_one
    assert bench.run(records, [(0, len(records))]) == one_by_one


def test_the_small_world_reaches_every_verdict(bench: Bench) -> None:
    # A property over requests that are all accepted would prove nothing.
    plain = Asked(project=0, container=0, variations=1, key=None, canceled=False, stranger=False)

    def changed(**changes: Any) -> Asked:
        fields = {name: getattr(plain, name) for name in Asked.__dataclass_fields__}
        return Asked(**{**fields, **changes})

    asked = [
        changed(key="K"),
        plain,
        changed(variations=2),
        changed(container=1, key="K"),
        changed(variations=11),
        changed(canceled=True),
        changed(canceled=True, stranger=True),
        changed(canceled=True, container=2),
        changed(container=1, variations=2),
        changed(container=2, variations=2),
        changed(project=1, container=2),
        changed(project=1, container=3),
        changed(project=2, variations=4),
        changed(project=2, container=1, variations=4),
    ]
    records = [one.record(bench.projects, offset) for offset, one in enumerate(asked)]
    run = bench.run(records, [(0, len(records))])
    codes = [
        next((event.get("code", name) for name, _, event in out if name != "CloneReply"), "-") for out in run.outputs
    ]
    assert codes == [
        "CloneAccepted",
        "-",
        "CONFLICT",
        "IDEMPOTENCY_CONFLICT",
        "VALIDATION_FAILED",
        "CloneCanceled",
        "NOT_FOUND",
        "NOT_FOUND",
        "CloneAccepted",
        "CloneAccepted",
        "CONFLICT",
        "RATE_LIMITED",
        "CloneAccepted",
        "BILLING_EXHAUSTED",
    ]
