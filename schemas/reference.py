"""Reference data as files carry it: one object a line, strictly checked. The import and the export share these models.

An unknown field is a mistake to name, not to drop. Ids are read in every form and kept as UUIDs.
"""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from schemas.ids import Prefix, parse_id
from schemas.request_rules import MAX_SOURCE_CHARACTERS

LineType = Literal["organization", "project", "layer", "source_post", "credit_grant"]
TYPES: Final[tuple[LineType, ...]] = get_args(LineType)
"""In the order in which one refers to the other."""

_MAX_INTEGER: Final = 2**31 - 1
# What every JSON reader holds exactly.
_MAX_COUNT: Final = 2**53


class BadLine(ValueError):
    """A line that is no reference data; the text names each wrong field, for the person who wrote it."""


def _id(prefix: Prefix) -> Callable[[object], uuid.UUID]:
    def read(value: object) -> uuid.UUID:
        if not isinstance(value, str):
            raise ValueError("must be a string")
        return parse_id(prefix, value)

    return read


def _storable(text: str) -> str:
    # Postgres stores no NUL; lone surrogates are no text to pydantic either.
    if "\x00" in text:
        raise ValueError("must not contain NUL")
    return text


def _time(value: object) -> datetime:
    try:
        read = datetime.fromisoformat(value) if isinstance(value, str) else None
        if read is None or read.tzinfo is None:
            raise ValueError
        return read.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError("must be an RFC 3339 time with its offset, such as 2026-01-31T12:00:00.000Z") from error


OrganizationRef = Annotated[uuid.UUID, BeforeValidator(_id("org"))]
ProjectRef = Annotated[uuid.UUID, BeforeValidator(_id("proj"))]
LayerRef = Annotated[uuid.UUID, BeforeValidator(_id("lay"))]
PostRef = Annotated[uuid.UUID, BeforeValidator(_id("pp"))]
# A grant is no object of the API and has no prefix; the reader of evt_ takes the bare UUID.
GrantRef = Annotated[uuid.UUID, BeforeValidator(_id("evt"))]
Text = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_storable)]
LongText = Annotated[str, Field(max_length=5_000), AfterValidator(_storable)]
Url = Annotated[str, Field(max_length=2_000), AfterValidator(_storable)]
ExternalId = Annotated[str, Field(min_length=1, max_length=MAX_SOURCE_CHARACTERS), AfterValidator(_storable)]
Facts = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_storable)]], Field(max_length=50)
]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
Format = Literal["video", "slideshow"]
Milliseconds = Annotated[int, Field(ge=0, le=_MAX_INTEGER)]
Count = Annotated[int, Field(ge=0, le=_MAX_COUNT)]
Ratio = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Time = Annotated[datetime, BeforeValidator(_time)]


class _Line(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True, extra="forbid", strict=True)


class Organization(_Line):
    """An organisation; its wallet is made with it."""

    type: Literal["organization"]
    id: OrganizationRef
    name: Text
    max_running_jobs: Annotated[int, Field(ge=0, le=1_000_000)] = 1_000


class Cta(_Line):
    """What the brand asks people to do; `keyword` is the word to comment, where the kind is comment_keyword."""

    kind: Literal["link", "comment_keyword", "save", "follow", "shop", "visit"] | None = None
    text: Text | None = None
    keyword: Text | None = None


class Brand(_Line):
    """The brand's own facts and voice: the only facts that a creative may claim. Everything may be missing."""

    name: Text | None = None
    product: Text | None = None
    audience: Text | None = None
    benefits: Facts | None = None
    proof: Facts | None = None
    tone: Facts | None = None
    preferred_words: Facts | None = None
    banned_words: Facts | None = None
    cta: Cta | None = None
    handle: Text | None = None
    color: Text | None = None


class Project(_Line):
    """A project of an organisation, with its brand."""

    type: Literal["project"]
    id: ProjectRef
    organization_id: OrganizationRef
    name: Text
    brand: Brand = Brand()


class Layer(_Line):
    """A content layer of a project."""

    type: Literal["layer"]
    id: LayerRef
    project_id: ProjectRef
    name: Text
    status: Literal["active", "archived"] = "active"
    format: Format
    platform: Text | None = None
    language: Language = "en"


class Segment(_Line):
    """A stretch of speech."""

    start_ms: Milliseconds
    end_ms: Milliseconds
    text: LongText


class Shot(_Line):
    """A shot of the source."""

    start_ms: Milliseconds
    end_ms: Milliseconds
    description: LongText = ""


class Metrics(_Line):
    """How a post did in one window."""

    views: Count | None = None
    engagement_rate: Ratio | None = None
    conversions: Count | None = None
    roas: Ratio | None = None
    watch_time_ms: Count | None = None


class SourcePost(_Line):
    """A tracked post. Without a project, every project of the organisation may clone it."""

    type: Literal["source_post"]
    id: PostRef
    organization_id: OrganizationRef
    project_id: ProjectRef | None = None
    platform: Text
    external_id: ExternalId
    format: Format
    url: Url | None = None
    caption: LongText = ""
    duration_ms: Milliseconds | None = None
    transcript: Annotated[list[Segment], Field(max_length=2_000)] | None = None
    shots: Annotated[list[Shot], Field(max_length=2_000)] | None = None
    published_at: Time | None = None
    metrics: dict[Literal["7d", "30d", "90d"], Metrics] | None = None


class CreditGrant(_Line):
    """Credits given, once per id."""

    type: Literal["credit_grant"]
    id: GrantRef
    organization_id: OrganizationRef
    amount: Annotated[int, Field(gt=0, le=10**15)]
    note: Annotated[str, Field(max_length=500), AfterValidator(_storable)] | None = None


Line = Organization | Project | Layer | SourcePost | CreditGrant
_LINE: Final[TypeAdapter[Line]] = TypeAdapter(Annotated[Line, Field(discriminator="type")])


def line_of(value: object) -> Line:
    """Read one object of parsed JSON. Raises BadLine."""
    if not isinstance(value, dict):
        raise BadLine("must be a JSON object")
    if value.get("type") not in TYPES:
        raise BadLine(f"type: must be one of {', '.join(TYPES)}")
    try:
        return _LINE.validate_python(value)
    except ValidationError as error:
        raise BadLine("; ".join(_named(problem) for problem in error.errors(include_input=False))) from error


def stored(model: BaseModel) -> dict[str, Any]:
    """A nested object as it is kept and exported: what was given, in the file's names."""
    return model.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)


def _named(problem: Any) -> str:
    # The first part of a place is the line's type, which stands in the line.
    field = ".".join(str(part) for part in problem["loc"][1:])
    words = {"missing": "is required", "extra_forbidden": "is not a field of this type"}
    return f"{field}: {words.get(problem['type']) or str(problem['msg']).removeprefix('Value error, ')}"
