"""Records of clone.admissions, and what the stage publishes."""

import uuid
from collections.abc import Sequence

from runtime.publishing import Outgoing
from schemas import codec
from schemas.events import EventName
from schemas.topics import VARIATION_RESULTS
from tests.dedup.records import Read, encoded
from tests.generation.world import Job


def accepted(job: Job) -> Read:
    """The CloneAccepted of a job."""
    return encoded(
        "CloneAccepted",
        {
            "eventId": str(uuid.uuid4()),
            "jobId": str(job.job_id),
            "orgId": str(job.org_id),
            "containerId": str(job.container_id),
            "projectId": str(uuid.uuid4()),
            "projectLayerId": str(uuid.uuid4()),
            "sourcePostId": str(uuid.uuid4()),
            "mode": "fork",
            "variations": job.variations,
            "ordinal": 0,
            "acceptedAt": 1_760_000_000_000,
            "deadlineAt": 1_760_000_000_000,
        },
    )


def canceled(job: Job) -> Read:
    """The CloneCanceled of a job."""
    return encoded(
        "CloneCanceled",
        {
            "eventId": str(uuid.uuid4()),
            "jobId": str(job.job_id),
            "orgId": str(job.org_id),
            "containerId": str(job.container_id),
            "requestedBy": "test",
            "canceledAt": 1_760_000_000_000,
            "reason": None,
        },
    )


def refused(name: EventName) -> Read:
    """A record that is somebody else's to read."""
    return encoded(
        name,
        {
            "eventId": str(uuid.uuid4()),
            "jobId": str(uuid.uuid4()),
            "orgId": str(uuid.uuid4()),
            "containerId": str(uuid.uuid4()),
            "code": "NOT_FOUND",
            "message": "Not found.",
            "details": None,
        },
    )


def news(records: Sequence[Outgoing], prefix: str = "") -> list[tuple[uuid.UUID, tuple[int, ...]]]:
    """The VariationsFinished among the records: job and indexes."""
    decoded = [
        codec.decode(record.value, VARIATION_RESULTS.records).record
        for record in records
        if record.topic == prefix + VARIATION_RESULTS.name
    ]
    return [(uuid.UUID(one["jobId"]), tuple(one["indexes"])) for one in decoded]
