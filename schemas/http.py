"""The HTTP models: what OpenAPI shows, and what tests hold every answer against.

Request bodies are judged by `schemas.request_rules`, which Kafka records share; a test holds `CloneFromPostBody` to it.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.canonical import Mode
from schemas.request_rules import MAX_SOURCE_CHARACTERS, MAX_VARIATIONS

Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", description="RFC 3339, UTC, ms")]
JobStatus = Literal["running", "completed", "failed", "canceled"]
Stage = Literal["queued", "analyzing_source", "generating", "rendering", "finalizing"]
VariationStatus = Literal["pending", "running", "completed", "failed", "canceled"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Overrides(_Model):
    """Texts that replace the generated ones, byte for byte."""

    caption: str | None = Field(default=None, max_length=2_200, description="Override the source caption.")
    cta: str | None = Field(default=None, max_length=120, description="Override the source CTA.")
    voiceOverScript: str | None = Field(default=None, max_length=5_000, description="Replace the voice-over script.")


class CloneFromPostBody(_Model):
    """The request body."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "projectId": "proj_01HXZ9G7KMV2QX8Y1S5RJW3B7T",
                    "sourcePlatformPostId": "pp_01HXZ9G7KMV2QX8Y1S5RJW3B7T",
                    "mode": "reimagine",
                    "variations": 3,
                }
            ]
        }
    )

    projectId: str = Field(description="Project the new container belongs to. Must be in this org.")
    projectLayerId: str | None = Field(
        default=None, description="Which content layer to run through. Omit if the project only has one."
    )
    sourcePlatformPostId: str = Field(
        min_length=1,
        max_length=MAX_SOURCE_CHARACTERS,
        description="Id of a tracked post: the internal id or the platform-native external id.",
    )
    mode: Mode | None = Field(default="fork", description="Generation posture.")
    variations: int | None = Field(default=1, ge=1, le=MAX_VARIATIONS, description="Number of variations to produce.")
    overrides: Overrides | None = Field(default=None, description="Caption, CTA or voice-over script for the clone.")


class Accepted(_Model):
    """One job for the clone; it produces all variations."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "jobId": "job_01HXZ9G7KMV2QX8Y1S5RJW3B7T",
                    "kind": "content_clone_from_post",
                    "status": "running",
                    "containerId": "cnt_01HXZ9G7KMV2QX8Y1S5RJW3B7T",
                    "locationUrl": "/v1/jobs/job_01HXZ9G7KMV2QX8Y1S5RJW3B7T",
                }
            ]
        }
    )

    jobId: str
    kind: Literal["content_clone_from_post"]
    status: Literal["running"]
    containerId: str
    locationUrl: str


class ErrorBody(_Model):
    """What went wrong, and which request it was."""

    code: str
    message: str
    requestId: str
    details: dict[str, Any] | None = None


class ErrorEnvelope(_Model):
    """Every 4xx and 5xx."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "error": {
                        "code": "CONFLICT",
                        "message": "Multiple content layers — pass projectLayerId to disambiguate.",
                        "requestId": "req_01HXZ9G7KMV2QX8Y1S5RJW3B7T",
                        "details": {"layerCount": 2},
                    }
                }
            ]
        }
    )

    error: ErrorBody


class Problem(_Model):
    """Why a job or a variation failed."""

    code: str
    message: str
    details: dict[str, Any] | None = None


class Shot(_Model):
    """One shot of the storyboard."""

    startMs: int
    endMs: int
    description: str


class Asset(_Model):
    """A rendered file, to be had with the organisation's key, whole or in ranges."""

    name: str
    kind: Literal["storyboard", "video", "captions", "card"]
    url: str
    contentType: str
    bytes: int
    sha256: str
    width: int | None = None
    height: int | None = None
    durationMs: int | None = Field(default=None, description="Of the clip.")
    voiceOverMs: int | None = Field(default=None, description="Until the voice has ended; 0 without a voice.")
    language: str | None = Field(default=None, description="Of the captions.")
    cues: int | None = Field(default=None, description="How many captions.")
    notes: list[str] | None = Field(default=None, description="What could not be drawn or said, and why.")


class Rendering(_Model):
    """What becomes of a variation's assets. They come later than its text."""

    status: Literal["pending", "running", "ready", "failed"]
    error: Problem | None


class Variation(_Model):
    """One variation; null where it is not there yet."""

    id: str
    index: int
    status: VariationStatus
    hook: str | None
    caption: str | None
    cta: str | None
    voiceOverScript: str | None
    shots: list[Shot] | None
    durationMs: int | None
    assets: list[Asset] = Field(description="Empty until they are ready.")
    error: Problem | None = None


class ContentVariation(Variation):
    """One variation and how it was made."""

    hookShape: str | None
    visualFormat: str | None
    provenance: dict[str, Any] | None = Field(
        description="How it was made: generator with its version, attempts, and as far as the generator tells model, "
        "tokens, tries at the gate, scores, angle, beats with times, substitutions, overridden fields."
    )
    rendering: Rendering | None = Field(description="Null where no assets are made.")


class Counts(_Model):
    """How the variations of a job ended."""

    requested: int
    completed: int
    failed: int
    canceled: int


class Result(_Model):
    """What a job made."""

    containerId: str
    variations: list[Variation]
    counts: Counts


class Job(_Model):
    """The job envelope."""

    jobId: str
    kind: Literal["content_clone_from_post"]
    status: JobStatus
    stage: Stage
    progress: float = Field(ge=0, le=1)
    projectId: str | None
    containerId: str
    locationUrl: str
    startedAt: Time
    finishedAt: Time | None
    result: Result | None
    error: Problem | None


class JobPage(_Model):
    """Jobs, newest first."""

    items: list[Job]
    nextCursor: str | None


class CancelAnswer(_Model):
    """What became of a cancel."""

    jobId: str
    accepted: bool
    reason: Literal["ALREADY_COMPLETED", "ALREADY_FAILED", "ALREADY_CANCELED"] | None = None


class ContentSummary(_Model):
    """A container as a list shows it."""

    containerId: str
    projectId: str
    jobId: str
    status: JobStatus
    mode: Mode
    createdAt: Time
    finishedAt: Time | None
    counts: Counts


class ContentPage(_Model):
    """Containers, newest first."""

    items: list[ContentSummary]
    nextCursor: str | None


class Content(ContentSummary):
    """A container with every variation."""

    projectLayerId: str
    variations: list[ContentVariation]
    error: Problem | None


class ContentProgress(_Model):
    """How far a container is."""

    containerId: str
    status: JobStatus
    stage: Stage
    stageProgress: float = Field(ge=0, le=1)
    etaSeconds: int | None
    updatedAt: Time


class TopPerformer(_Model):
    """A tracked post and its rank."""

    rank: int
    sourcePlatformPostId: str
    externalId: str
    platform: str
    metric: str
    metricValue: float
    window: str


class TopPerformerPage(_Model):
    """Tracked posts, best first."""

    items: list[TopPerformer]
    nextCursor: str | None


class Credits(_Model):
    """The organisation's credits: balance = available + reservedCredits."""

    organizationId: str
    balance: int
    available: int
    reservedCredits: int
    runningJobs: int
    maxRunningJobs: int


class WhoAmI(_Model):
    """The key's organisation, scopes and tier."""

    organizationId: str
    organizationName: str | None
    keyId: str
    scopes: list[str]
    tier: str


class Health(_Model):
    """The process answers."""

    status: Literal["ok"]


class Readiness(_Model):
    """The process can serve. `missing` names what it can do without for now, and why it is missing."""

    status: Literal["ready"]
    missing: dict[str, str]
