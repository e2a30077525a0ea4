"""Cancels as the dedup consumer reads and writes them. A batch without a cancel runs none of these statements."""

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from storage.connection import Connection
from storage.place import Place


@dataclass(frozen=True, slots=True)
class Cancellation:
    """An accepted cancel."""

    job_id: uuid.UUID
    org_id: uuid.UUID
    container_id: uuid.UUID
    requested_by: str
    reason: str | None
    canceled_at_ms: int
    topic_id: uuid.UUID
    place: Place


@dataclass(frozen=True, slots=True)
class JobState:
    """What a cancel needs to know of the job it names. `ended_variations` of its `variations` are terminal."""

    org_id: uuid.UUID
    container_id: uuid.UUID
    status: str
    ended_variations: int
    variations: int
    cancellation: Cancellation | None


Cancels = tuple[dict[uuid.UUID, JobState], set[tuple[uuid.UUID, uuid.UUID]]]
"""Jobs by id; (organisation, job) of refused clones."""


def read_cancels(connection: Connection, asked: Iterable[tuple[uuid.UUID, uuid.UUID]]) -> Callable[[], Cancels]:
    """Ask for the jobs that cancels name, each as (organisation that asks, job). Call what it returns for the answer,
    after the pipeline."""
    pairs = list(asked)
    columns = [org_id for org_id, _ in pairs], [job_id for _, job_id in pairs]
    jobs = connection.execute(
        """SELECT c.job_id, c.org_id, c.container_id, j.status, c.variations,
                  (SELECT count(*) FROM variations v
                   WHERE v.job_id = c.job_id AND v.state IN ('succeeded', 'failed', 'canceled')),
                  x.requested_by, x.reason, (extract(epoch FROM x.canceled_at) * 1000)::bigint, x.topic_id,
                  x.partition, x.record_offset
           FROM unnest(%b::uuid[], %b::uuid[]) AS asked (org_id, job_id)
           JOIN claims c USING (org_id, job_id) JOIN jobs j USING (job_id) LEFT JOIN cancellations x USING (job_id)""",
        columns,
    )
    refused = connection.execute(
        """SELECT DISTINCT r.org_id, r.job_id
           FROM unnest(%b::uuid[], %b::uuid[]) AS asked (org_id, job_id) JOIN refusals r USING (org_id, job_id)
           WHERE r.kind = 'clone'""",
        columns,
    )

    def rows() -> Cancels:
        states = {}
        for job_id, org_id, container_id, status, variations, ended, by, reason, at, topic, *place in jobs:
            canceled = None
            if by is not None:
                canceled = Cancellation(job_id, org_id, container_id, by, reason, at, topic, Place(*place))
            states[job_id] = JobState(org_id, container_id, status, ended, variations, canceled)
        return states, {(org_id, job_id) for org_id, job_id in refused}

    return rows


def insert_cancellations(connection: Connection, cancellations: Sequence[Cancellation]) -> None:
    """Write the first accepted cancel of each job."""
    connection.execute(
        """INSERT INTO cancellations (job_id, org_id, container_id, requested_by, reason, canceled_at, topic_id,
             partition, record_offset)
           SELECT job_id, org_id, container_id, requested_by, reason, to_timestamp(canceled_at / 1000.0), topic_id,
             partition, record_offset
           FROM unnest(%b::uuid[], %b::uuid[], %b::uuid[], %b::text[], %b::text[], %b::bigint[], %b::uuid[], %b::int[],
             %b::bigint[])
           AS new (job_id, org_id, container_id, requested_by, reason, canceled_at, topic_id, partition,
             record_offset)""",
        (
            [c.job_id for c in cancellations],
            [c.org_id for c in cancellations],
            [c.container_id for c in cancellations],
            [c.requested_by for c in cancellations],
            [c.reason for c in cancellations],
            [c.canceled_at_ms for c in cancellations],
            [c.topic_id for c in cancellations],
            [c.place.partition for c in cancellations],
            [c.place.offset for c in cancellations],
        ),
    )
