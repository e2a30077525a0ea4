"""The records as typed dictionaries: keys are the field names of the `.avsc` files, and a test holds the two together.

Ids are lower-case UUID text, times Unix milliseconds. What each field means stands in the `.avsc`.
"""

from typing import Final, Literal, TypedDict

EventName = Literal[
    "CloneRequested",
    "CloneCancelRequested",
    "CloneReply",
    "CloneAccepted",
    "CloneCanceled",
    "CloneRejected",
    "CancelRejected",
    "VariationsFinished",
    "JobCompleted",
    "JobFailed",
    "JobCanceled",
]


class Overrides(TypedDict):
    """Texts that replace the generated ones, byte for byte."""

    caption: str | None
    cta: str | None
    voiceOverScript: str | None


class VariationOutcome(TypedDict):
    """How one variation ended."""

    variationId: str
    index: int
    status: Literal["completed", "failed", "canceled"]
    hookShape: str | None
    visualFormat: str | None
    durationMs: int | None
    attempts: int
    errorCode: str | None


class CloneRequested(TypedDict):
    """A request to clone a tracked post into a new container. Public; on clone.requests, keyed by containerId."""

    orgId: str
    containerId: str
    projectId: str
    projectLayerId: str | None
    sourcePlatformPostId: str
    mode: Literal["fork", "reimagine"]
    variations: int
    overrides: Overrides | None
    requestedBy: str
    requestedAt: int
    idempotencyKey: str | None
    deadlineAt: int | None


class CloneCancelRequested(TypedDict):
    """A request to cancel a job. Public; on clone.requests, keyed by containerId."""

    orgId: str
    containerId: str
    jobId: str
    requestedBy: str
    requestedAt: int
    reason: str | None


class CloneReply(TypedDict):
    """The verdict on one request, for the asker that named a partition of clone.replies."""

    requestId: str
    jobId: str
    outcome: Literal["accepted", "replayed", "refused"]
    code: str | None
    message: str | None
    details: str | None


class CloneAccepted(TypedDict):
    """A request was accepted: its job runs and its credits are reserved. Ids only; texts stay in the database."""

    eventId: str
    jobId: str
    orgId: str
    containerId: str
    projectId: str
    projectLayerId: str
    sourcePostId: str
    mode: Literal["fork", "reimagine"]
    variations: int
    ordinal: int
    acceptedAt: int
    deadlineAt: int


class CloneCanceled(TypedDict):
    """A cancel was accepted: variations that have not ended will be canceled. clone.job-events tells the end."""

    eventId: str
    jobId: str
    orgId: str
    containerId: str
    requestedBy: str
    canceledAt: int
    reason: str | None


class CloneRejected(TypedDict):
    """A request was refused. It claims nothing: the same container id may be used again."""

    eventId: str
    jobId: str
    orgId: str
    containerId: str
    code: str
    message: str
    details: str | None


class CancelRejected(TypedDict):
    """A cancel was refused. The job that it named is untouched."""

    eventId: str
    jobId: str
    orgId: str
    containerId: str
    code: str
    message: str
    details: str | None


class VariationsFinished(TypedDict):
    """Wakes the projector: look at this job again. The database has the results. Internal."""

    jobId: str
    indexes: list[int]


class JobCompleted(TypedDict):
    """A job ended with at least one variation. Public; no text of a creative in it, the ids lead there."""

    eventId: str
    jobId: str
    orgId: str
    projectId: str
    projectLayerId: str
    containerId: str
    sourcePostId: str
    sourcePlatform: str
    mode: Literal["fork", "reimagine"]
    variationsRequested: int
    variationsSucceeded: int
    variationsFailed: int
    creditsCharged: int
    requestedBy: str
    requestedAt: int
    acceptedAt: int
    finishedAt: int
    generator: str
    variations: list[VariationOutcome]


class JobFailed(TypedDict):
    """A job ended with no variation."""

    eventId: str
    jobId: str
    orgId: str
    projectId: str
    containerId: str
    code: str
    message: str
    variationsRequested: int
    variationsSucceeded: int
    variationsFailed: int
    variationsCanceled: int
    creditsCharged: int
    requestedBy: str
    requestedAt: int
    acceptedAt: int
    finishedAt: int


class JobCanceled(TypedDict):
    """A job was canceled. Variations that had succeeded before are kept and charged."""

    eventId: str
    jobId: str
    orgId: str
    projectId: str
    containerId: str
    variationsRequested: int
    variationsSucceeded: int
    variationsFailed: int
    variationsCanceled: int
    creditsCharged: int
    requestedBy: str
    requestedAt: int
    acceptedAt: int
    finishedAt: int


EVENT_NAMES: Final[tuple[EventName, ...]] = (
    "CloneRequested",
    "CloneCancelRequested",
    "CloneReply",
    "CloneAccepted",
    "CloneCanceled",
    "CloneRejected",
    "CancelRejected",
    "VariationsFinished",
    "JobCompleted",
    "JobFailed",
    "JobCanceled",
)
