"""The shape of a clone request: one set of rules for HTTP bodies and for records on Kafka.

Pure. Says which fields are wrong and how to mend them; looks nothing up. Lengths count code points.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from schemas.canonical import (
    DEFAULT_MODE,
    DEFAULT_VARIATIONS,
    MODES,
    NO_OVERRIDES,
    CloneRequest,
    Overrides,
    job_id_of_canonical,
)
from schemas.events import CloneRequested
from schemas.ids import ContainerId, InvalidId, JobId, LayerId, OrgId, Prefix, ProjectId, parse_id

MAX_VARIATIONS: Final = 10
MAX_SOURCE_CHARACTERS: Final = 128
MAX_IDEMPOTENCY_KEY_CHARACTERS: Final = 255
MAX_REQUESTED_BY_CHARACTERS: Final = 200
OVERRIDE_LIMITS: Final[Mapping[str, int]] = {"caption": 2_200, "cta": 120, "voiceOverScript": 5_000}
_OVERRIDE_FIELDS: Final = tuple((name, f"overrides.{name}", most) for name, most in OVERRIDE_LIMITS.items())
_SHORTEST_ID: Final = len("pp_") + 26

_FIELDS: Final = frozenset({"projectId", "projectLayerId", "sourcePlatformPostId", "mode", "variations", "overrides"})


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One thing that is wrong: the field's path, and what it must be."""

    field: str
    message: str


class RequestInvalid(ValueError):
    """The request breaks rules of shape; `problems` names each, in the order of the fields."""

    def __init__(self, problems: list[FieldProblem]) -> None:
        super().__init__("; ".join(f"{problem.field} {problem.message}" for problem in problems))
        self.problems = problems


class _Reader:
    """Reads fields and collects problems, so that one answer names them all."""

    def __init__(self) -> None:
        self.problems: list[FieldProblem] = []

    def problem(self, field: str, message: str) -> None:
        self.problems.append(FieldProblem(field, message))

    def id(self, prefix: Prefix, field: str, value: object, *, required: bool = True) -> uuid.UUID | None:
        if value is None:
            if required:
                self.problem(field, "is required")
            return None
        if not isinstance(value, str):
            self.problem(field, "must be a string")
            return None
        try:
            return parse_id(prefix, value)
        except InvalidId as error:
            self.problem(field, str(error))
            return None

    def text(self, field: str, value: object, most: int, least: int = 0) -> str | None:
        if not isinstance(value, str):
            self.problem(field, "must be a string")
        elif len(value) > most:
            self.problem(field, f"must have at most {most:,} characters; it has {len(value):,}")
        elif len(value) < least:
            self.problem(field, "must not be empty")
        elif "\x00" in value or (not value.isascii() and _has_surrogate(value)):
            self.problem(field, "must not contain NUL or a lone surrogate")
        else:
            return value
        return None


def request_from_body(org_id: OrgId, container: str, body: object) -> CloneRequest:
    """Read the path's container id and a parsed JSON body. Raises RequestInvalid."""
    reader = _Reader()
    container_id = reader.id("cnt", "containerId", container)
    if not isinstance(body, dict):
        reader.problem("", "the body must be a JSON object")
        raise RequestInvalid(reader.problems)
    if not body.keys() <= _FIELDS:
        for name in body:
            if name not in _FIELDS:
                reader.problem(_shown(name), "is not a field of this request")
    return _request(reader, org_id, container_id, body)


def request_from_event(record: CloneRequested) -> CloneRequest:
    """Read a record that internal systems wrote. Raises RequestInvalid.

    Checks the fields that only a record has as well: orgId, requestedBy, requestedAt, idempotencyKey, deadlineAt.
    """
    reader = _Reader()
    org_id = reader.id("org", "orgId", record["orgId"])
    container_id = reader.id("cnt", "containerId", record["containerId"])
    reader.text("requestedBy", record["requestedBy"], MAX_REQUESTED_BY_CHARACTERS, 1)
    if record["idempotencyKey"] is not None:
        reader.text("idempotencyKey", record["idempotencyKey"], MAX_IDEMPOTENCY_KEY_CHARACTERS, 1)
    for name, value in (("requestedAt", record["requestedAt"]), ("deadlineAt", record["deadlineAt"])):
        if value is not None and not 0 <= value <= MAX_TIME_MS:
            reader.problem(name, "must be Unix milliseconds before the year 10000")
    return _request(reader, org_id, container_id, record)


# 9999-12-31T23:59:59.999Z: what both Python and Postgres can hold.
MAX_TIME_MS: Final = 253_402_300_799_999


def job_id_of_malformed(record: CloneRequested) -> JobId:
    """The job id that a refusal of a malformed record carries: a function of the record's text, never of a valid job.

    The prefix cannot begin a canonical request, so no such id collides with one.
    """
    parts = (record["orgId"], record["containerId"], record["projectId"], record["projectLayerId"] or "")
    rest = (record["sourcePlatformPostId"], record["mode"], str(record["variations"]), repr(record["overrides"]))
    return job_id_of_canonical("\x1f".join(("malformed", *parts, *rest)).encode("utf-8", "replace"))


def _request(
    reader: _Reader, org_id: uuid.UUID | None, container_id: uuid.UUID | None, fields: Mapping[str, Any]
) -> CloneRequest:
    project_id = reader.id("proj", "projectId", fields.get("projectId"))
    layer_id = reader.id("lay", "projectLayerId", fields.get("projectLayerId"), required=False)
    source = _source(reader, fields.get("sourcePlatformPostId"))
    mode = fields.get("mode")
    if mode is None:
        mode = DEFAULT_MODE
    elif mode not in MODES:
        reader.problem("mode", 'must be "fork" or "reimagine"')
    variations = fields.get("variations")
    if variations is None:
        variations = DEFAULT_VARIATIONS
    elif type(variations) is not int or not 1 <= variations <= MAX_VARIATIONS:
        reader.problem("variations", f"must be an integer from 1 to {MAX_VARIATIONS}")
    overrides = _overrides(reader, fields.get("overrides"))
    if reader.problems or org_id is None or container_id is None or project_id is None or source is None:
        raise RequestInvalid(reader.problems)
    return CloneRequest(
        org_id=OrgId(org_id),
        container_id=ContainerId(container_id),
        project_id=ProjectId(project_id),
        source=source,
        project_layer_id=None if layer_id is None else LayerId(layer_id),
        mode=mode,
        variations=variations,
        overrides=overrides,
    )


def _source(reader: _Reader, value: object) -> str | None:
    if value is None:
        reader.problem("sourcePlatformPostId", "is required")
        return None
    text = reader.text("sourcePlatformPostId", value, MAX_SOURCE_CHARACTERS, 1)
    # The shortest id of ours is `pp_` and 26 characters. Any other text is the platform's own id, kept as sent.
    if text is None or len(text) < _SHORTEST_ID:
        return text
    try:
        return str(parse_id("pp", text))
    except InvalidId:
        return text


def _overrides(reader: _Reader, value: object) -> Overrides:
    if value is None:
        return NO_OVERRIDES
    if not isinstance(value, dict):
        reader.problem("overrides", "must be an object")
        return NO_OVERRIDES
    for name in value:
        if name not in OVERRIDE_LIMITS:
            reader.problem(f"overrides.{_shown(name)}", "is not a field of this request")
    texts = [
        None if (text := value.get(name)) is None else reader.text(field, text, most)
        for name, field, most in _OVERRIDE_FIELDS
    ]
    return Overrides(*texts)


def _has_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _shown(name: object) -> str:
    # A field's name comes from outside: shortened, and safe to print.
    return str(name)[:80].encode("ascii", "backslashreplace").decode()
