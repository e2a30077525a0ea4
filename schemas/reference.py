"""Reference data as files carry it: one object a line, strictly checked. The import and the export share these models."""

import uuid
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

Text = Annotated[str, Field(min_length=1, max_length=200)]
LongText = Annotated[str, Field(max_length=5_000)]
Facts = Annotated[list[Annotated[str, Field(min_length=1, max_length=300)]], Field(max_length=50)]


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Organization(_Line):
    """An organisation; its wallet is made with it."""

    type: Literal["organization"]
    id: uuid.UUID
    name: Text
    max_running_jobs: int = Field(default=1_000, alias="maxRunningJobs", ge=0, le=1_000_000)


class Cta(_Line):
    """What the brand asks people to do."""

    kind: Literal["link", "comment_keyword", "save", "follow", "shop", "visit"]
    text: Text
    keyword: Text | None = None


class Brand(_Line):
    """The brand's own facts and voice: the only facts that a creative may claim."""

    name: Text
    product: Text | None = None
    audience: Text | None = None
    benefits: Facts = []
    proof: Facts = []
    tone: Facts = []
    preferred_words: Facts = Field(default=[], alias="preferredWords")
    banned_words: Facts = Field(default=[], alias="bannedWords")
    cta: Cta | None = None
    handle: Text | None = None
    color: Text | None = None


class Project(_Line):
    """A project of an organisation, with its brand."""

    type: Literal["project"]
    id: uuid.UUID
    organization_id: uuid.UUID = Field(alias="organizationId")
    name: Text
    brand: Brand


class Layer(_Line):
    """A content layer of a project."""

    type: Literal["layer"]
    id: uuid.UUID
    project_id: uuid.UUID = Field(alias="projectId")
    name: Text
    status: Literal["active", "archived"] = "active"
    format: Literal["video", "slideshow"]
    platform: Text | None = None
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] = "en"


class Segment(_Line):
    """A stretch of speech."""

    start_ms: int = Field(alias="startMs", ge=0)
    end_ms: int = Field(alias="endMs", ge=0)
    text: LongText


class Shot(_Line):
    """A shot of the source."""

    start_ms: int = Field(alias="startMs", ge=0)
    end_ms: int = Field(alias="endMs", ge=0)
    description: LongText = ""


class SourcePost(_Line):
    """A tracked post. Without a project, every project of the organisation may clone it."""

    type: Literal["source_post"]
    id: uuid.UUID
    organization_id: uuid.UUID = Field(alias="organizationId")
    project_id: uuid.UUID | None = Field(default=None, alias="projectId")
    platform: Text
    external_id: Annotated[str, Field(min_length=1, max_length=128)] = Field(alias="externalId")
    format: Literal["video", "slideshow"]
    url: Annotated[str, Field(max_length=2_000)] | None = None
    caption: LongText = ""
    duration_ms: int | None = Field(default=None, alias="durationMs", gt=0, le=3_600_000)
    transcript: list[Segment] | None = None
    shots: list[Shot] | None = None
    published_at: AwareDatetime | None = Field(default=None, alias="publishedAt")
    metrics: dict[Literal["7d", "30d", "90d"], dict[str, float]] | None = None


class CreditGrant(_Line):
    """Credits given, once per id."""

    type: Literal["credit_grant"]
    id: uuid.UUID
    organization_id: uuid.UUID = Field(alias="organizationId")
    amount: int = Field(gt=0, le=10**15)
    note: Annotated[str, Field(max_length=500)] | None = None


Line = Annotated[Organization | Project | Layer | SourcePost | CreditGrant, Field(discriminator="type")]
LINE: TypeAdapter[Line] = TypeAdapter(Line)

TYPES: tuple[str, ...] = ("organization", "project", "layer", "source_post", "credit_grant")
"""In the order in which one refers to the other."""


def shown(line: Line) -> dict[str, Any]:
    """The line as the export writes it: the import's names, absent where empty."""
    return line.model_dump(mode="json", by_alias=True, exclude_none=True)
