"""The topics: names, partitions, retention, and which records each may hold. Names are contract."""

from dataclasses import dataclass
from typing import Final

from schemas.events import EventName

_MINUTE_MS: Final = 60_000
_DAY_MS: Final = 24 * 60 * _MINUTE_MS
_FOREVER: Final = -1

# Twice what other topics take; producers may send as much.
MAX_DEAD_LETTER_BYTES: Final = 2_097_152


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `retention_ms` of -1 keeps records for ever. None is compacted: ids are unique per organisation."""

    name: str
    key: str
    partitions: int
    retention_ms: int
    records: frozenset[EventName]
    description: str

    def config(self) -> dict[str, str]:
        """The topic's settings as the broker takes them."""
        settings = {"cleanup.policy": "delete", "retention.ms": str(self.retention_ms)}
        if not self.records:
            # Dead letters carry any record as it came, and its reason on top: they must not be refused for their size.
            settings["max.message.bytes"] = str(MAX_DEAD_LETTER_BYTES)
        if self.retention_ms == 10 * _MINUTE_MS:
            # Retention deletes whole segments: a short one needs segments that close in time.
            settings["segment.ms"] = str(5 * _MINUTE_MS)
        return settings


REQUESTS: Final = Topic(
    "clone.requests",
    "containerId",
    6,
    7 * _DAY_MS,
    frozenset({"CloneRequested", "CloneCancelRequested"}),
    "Requests as they come, from the API and from internal systems. The only authoritative log.",
)
REPLIES: Final = Topic(
    "clone.replies",
    "none; the asker names the partition",
    16,
    10 * _MINUTE_MS,
    frozenset({"CloneReply"}),
    "The verdict, for whoever asked with a reply_to header.",
)
ADMISSIONS: Final = Topic(
    "clone.admissions",
    "containerId",
    6,
    7 * _DAY_MS,
    frozenset({"CloneAccepted", "CloneCanceled", "CloneRejected", "CancelRejected"}),
    "What was decided about each request, at least once.",
)
VARIATION_RESULTS: Final = Topic(
    "clone.variation-results",
    "containerId",
    6,
    7 * _DAY_MS,
    frozenset({"VariationsFinished"}),
    "Wake-ups for the projector: look at this job again. Internal.",
)
JOB_EVENTS: Final = Topic(
    "clone.job-events",
    "containerId",
    6,
    7 * _DAY_MS,
    frozenset({"JobCompleted", "JobFailed", "JobCanceled"}),
    "The end of each job, at least once; know repeats by eventId.",
)
JOBS_COMPLETED: Final = Topic(
    "clone.jobs-completed",
    "containerId",
    3,
    _FOREVER,
    frozenset({"JobCompleted"}),
    "One record per completed job, exactly once for read_committed readers.",
)
DEAD_LETTERS: Final = Topic(
    "clone.dead-letters",
    "as the source record",
    3,
    30 * _DAY_MS,
    frozenset(),
    "Records that can never be processed, bytes unchanged, with the reason in headers.",
)

ALL_TOPICS: Final = (
    REQUESTS,
    REPLIES,
    ADMISSIONS,
    VARIATION_RESULTS,
    JOB_EVENTS,
    JOBS_COMPLETED,
    DEAD_LETTERS,
)
