"""A world so small that most requests meet an earlier one: few containers, keys, credits and running jobs."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import psycopg

from storage.admin import create_database, drop_database
from tests.dedup.records import Read, cancel_of, clone
from tests.dedup.stage import Outputs
from tests.dedup.world import VIDEO_PRICE, Project, World
from tests.servers import TEMPLATE, database_at

_CREDIT: Final = 6 * VIDEO_PRICE
_NOBODY: Final = uuid.uuid5(uuid.NAMESPACE_OID, "nobody")
CONTAINERS: Final = tuple(uuid.uuid5(uuid.NAMESPACE_OID, f"container {n}") for n in range(4))
# Times of the database's clock differ between two runs; everything else of a record must not.
_TIMES: Final = ("acceptedAt", "deadlineAt", "canceledAt")
# Claims last: others refer to them.
_WRITTEN: Final = (
    *("jobs", "cancellations", "refusals", "idempotency_keys", "project_ordinals", "dedup_progress"),
    "claims",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request or cancel, in terms of the small world."""

    project: int
    container: int
    variations: int
    key: str | None
    canceled: bool
    stranger: bool
    """A cancel that comes from another organisation."""
    nobody: bool = False
    """A request of an organisation that nobody knows: it has no wallet that could be locked."""

    def record(self, projects: list[Project], offset: int, partition: int = 0) -> Read:
        project = projects[self.project]
        request = clone(project, CONTAINERS[self.container], variations=self.variations, idempotencyKey=self.key)
        if self.canceled:
            changes = {"orgId": str(projects[2 - self.project].org_id)} if self.stranger else {}
            request = cancel_of(request, **changes)
        elif self.nobody:
            request = clone(replace(project, org_id=_NOBODY), CONTAINERS[self.container], variations=self.variations)
        return request.asking(0, f"req-{partition}-{offset}").at(partition, offset)


class SmallWorld:
    """Two projects of one organisation, one of another; both capped in jobs and credits."""

    def __init__(self, world: World) -> None:
        self.world = world
        org_id = world.organization(credit=_CREDIT, max_running_jobs=3)
        self.projects = [world.project(org_id), world.project(org_id), world.project(credit=_CREDIT)]

    def empty(self) -> None:
        """Start over: nothing was asked."""
        # A dozen rows: TRUNCATE would make new files for each table, and takes longer than all that a run does.
        for table in _WRITTEN:
            self.world.execute(f"DELETE FROM {table}")
        self.world.execute("DELETE FROM credit_ledger WHERE kind = 'reserve'")
        self.world.execute("UPDATE wallets SET available = %s, reserved = 0, running_jobs = 0", _CREDIT)

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Everything that dedup writes, without the times."""
        for project in self.projects:
            self.world.wallet(project.org_id)
        statements = {
            "claims": "SELECT org_id, container_id, job_id, ordinal, partition, record_offset FROM claims ORDER BY 3",
            "jobs": "SELECT job_id, org_id, status FROM jobs ORDER BY job_id",
            "refusals": """SELECT kind, org_id, job_id, code, message, details, partition, record_offset
                           FROM refusals ORDER BY 7, 8""",
            "cancellations": "SELECT job_id, partition, record_offset FROM cancellations ORDER BY job_id",
            "keys": "SELECT org_id, idempotency_key, job_id FROM idempotency_keys ORDER BY 1, 2",
            "ordinals": "SELECT * FROM project_ordinals ORDER BY 1, 2",
            "wallets": "SELECT * FROM wallets ORDER BY org_id",
            "progress": "SELECT * FROM dedup_progress ORDER BY 1, 2",
        }
        return {name: self.world.rows(statement) for name, statement in statements.items()}


@contextmanager
def small_world(postgres: str) -> Iterator[tuple[SmallWorld, str]]:
    """A small world and the address of its database, which is its own."""
    name = f"small_{uuid.uuid4().hex[:12]}"
    create_database(postgres, name, template=TEMPLATE)
    url = database_at(postgres, name)
    with psycopg.connect(url, autocommit=True) as connection:
        yield SmallWorld(World(connection)), url
    drop_database(postgres, name)


def by_record(outputs: Outputs, count: int) -> list[Outputs]:
    """The outputs of each of so many records: its reply closes them, for every record here asks for one."""
    found: list[Outputs] = []
    taken = 0
    for number, record in enumerate(outputs.records):
        if record.topic == "clone.replies":
            found.append(Outputs(outputs.records[taken : number + 1]))
            taken = number + 1
    assert taken == len(outputs.records)
    assert len(found) == count
    return found


def without_times(outputs: Outputs) -> list[tuple[str, int | None, dict[str, Any]]]:
    """What was told: names, partitions and fields."""
    told: list[tuple[str, int | None, dict[str, Any]]] = [
        (name, None, {field: value for field, value in record.items() if field not in _TIMES})
        for name, record in outputs.admissions()
    ]
    return told + [("CloneReply", outputs.records[-1].partition, reply) for reply in outputs.replies()]
