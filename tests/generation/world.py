"""Accepted jobs in a database, as dedup leaves them, and generators that a test steers."""

import json
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from consumers.generation.generators import Made, Order, ReportStep
from tests.dedup.world import Project, World

TOPIC_ID: Final = uuid.UUID("0195e0a0-0000-7000-8000-000000000001")
BRAND: Final[dict[str, Any]] = {
    "name": "Luma",
    "product": "vitamin C serum",
    "audience": "people whose skin looks tired by noon",
    "benefits": ["evens out skin tone in four weeks", "sinks in within a minute"],
    "proof": ["a 28-day test with 120 people"],
    "bannedWords": ["flawless"],
    "cta": {"kind": "link", "text": "Tap the link to meet Luma"},
}
MADE: Final = Made("question", "demo", 9_000, {"hook": "Why not?"}, {})

# A claim and its admission carry the same trace, whichever of them a variation is made from.
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass(frozen=True, slots=True)
class Job:
    """An accepted job."""

    job_id: uuid.UUID
    org_id: uuid.UUID
    container_id: uuid.UUID
    variations: int


class Jobs(World):
    """Writes what dedup writes when it accepts and cancels."""

    def branded(self, *, language: str = "en", brand: dict[str, Any] | None = None) -> Project:
        """A project of an organisation of its own, with a brand that has facts."""
        project = self.project()
        self.execute(
            "UPDATE projects SET brand = %s WHERE project_id = %s", json.dumps(brand or BRAND), project.project_id
        )
        self.execute("UPDATE project_layers SET language = %s WHERE project_id = %s", language, project.project_id)
        return project

    def accept(
        self,
        project: Project | None = None,
        *,
        variations: int = 3,
        seconds_ago: float = 0.0,
        deadline_in_seconds: float = 3_600.0,
        overrides: dict[str, str] | None = None,
        mode: str = "fork",
    ) -> Job:
        project = project or self.branded()
        job = Job(uuid.uuid4(), project.org_id, uuid.uuid4(), variations)
        self.execute(
            """INSERT INTO claims (org_id, container_id, job_id, project_id, layer_id, source_post_id, mode, variations,
                 overrides, variation_price, ordinal, requested_by, requested_at, accepted_at, deadline_at, topic_id,
                 partition, record_offset, traceparent)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 120, 0, 'test', clock_timestamp(),
                 clock_timestamp() - make_interval(secs => %s), clock_timestamp() + make_interval(secs => %s), %s, 0,
                 0, %s)""",
            *(job.org_id, job.container_id, job.job_id, project.project_id, project.layer_id, project.post_id, mode),
            *(variations, json.dumps(overrides) if overrides else None, seconds_ago, deadline_in_seconds, TOPIC_ID),
            TRACE,
        )
        self.execute(
            """INSERT INTO jobs (job_id, org_id, accepted_at, updated_at)
               VALUES (%s, %s, clock_timestamp() - make_interval(secs => %s), clock_timestamp())""",
            *(job.job_id, job.org_id, seconds_ago),
        )
        return job

    def cancel(self, job: Job, *, seconds_ago: float = 0.0) -> None:
        self.execute(
            """INSERT INTO cancellations (job_id, org_id, container_id, requested_by, canceled_at, topic_id, partition,
                 record_offset)
               VALUES (%s, %s, %s, 'test', clock_timestamp() - make_interval(secs => %s), %s, 0, 1)""",
            *(job.job_id, job.org_id, job.container_id, seconds_ago, TOPIC_ID),
        )

    def variations(self, job: Job) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM variations WHERE job_id = %s ORDER BY variation_index", job.job_id)

    def states(self, job: Job) -> list[str]:
        return [row["state"] for row in self.variations(job)]

    def expire_leases(self, job: Job) -> None:
        """What time does to leases that nobody renews."""
        self.execute(
            "UPDATE variations SET lease_until = clock_timestamp() - interval '1 ms' WHERE job_id = %s AND"
            " state = 'leased'",
            job.job_id,
        )

    def let_start(self) -> None:
        """What time does to pending rows that wait."""
        self.execute("UPDATE variations SET not_before = clock_timestamp() WHERE state = 'pending'")


class Steered:
    """A generator that does what the test says."""

    name = "steered/1"

    def __init__(
        self,
        make: Callable[[Order, ReportStep], Made],
        *,
        lease_ahead: int | None = None,
        needs_material: bool = False,
        waits: bool = True,
    ) -> None:
        self._make = make
        self.waits = waits
        self.lease_ahead = lease_ahead
        self.needs_material = needs_material
        self.orders: list[Order] = []

    def generate(self, order: Order, report: ReportStep) -> Made:
        self.orders.append(order)
        return self._make(order, report)


class Gate:
    """Holds generators until it opens."""

    def __init__(self) -> None:
        self.opened = threading.Event()

    def make(self, _order: Order, _report: ReportStep) -> Made:
        assert self.opened.wait(60)
        return MADE


def made(_order: Order, _report: ReportStep) -> Made:
    """The same creative at once."""
    return MADE
