"""The records that wake the projector. Pure."""

from collections.abc import Sequence

from runtime.publishing import Outgoing
from schemas import codec, headers
from schemas.events import VariationsFinished
from schemas.topics import VARIATION_RESULTS
from storage.variations import Ended


def wakeups(ended: Sequence[Ended], topic_prefix: str) -> list[Outgoing]:
    """One VariationsFinished per job, keyed by container."""
    return [_wakeup(job, topic_prefix) for job in ended]


def _wakeup(job: Ended, topic_prefix: str) -> Outgoing:
    record: VariationsFinished = {"jobId": str(job.job_id), "indexes": list(job.indexes)}
    return Outgoing(
        topic=topic_prefix + VARIATION_RESULTS.name,
        key=str(job.container_id).encode(),
        value=codec.encode("VariationsFinished", record),
        headers=headers.internal(job.traceparent),
    )
