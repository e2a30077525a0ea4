"""The shape of a clone request: one set of rules for HTTP bodies and for records on Kafka.

Pure. Says which fields are wrong and how to mend them; looks nothing up. Lengths count code points.
"""

import uuid
from collections.abc import Callable, Mapping
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
from schemas.ids import ContainerId, InvalidId, JobId, LayerId, OrgId, Prefix, ProjectId, parse_id, parse_known_id

MAX_VARIATIONS: Final = 10
MAX_SOURCE_CHARACTERS: Final = 128
MAX_IDEMPOTENCY_KEY_CHARACTERS: Final = 255
MAX_REQUESTED_BY_CHARACTERS: Final = 200
OVERRIDE_LIMITS: Final[Mapping[str, int]] = {"caption": 2_200, "cta": 120, "voiceOverScript": 5_000}
_OVERRIDE_FIELDS: Final = tuple((name, f"overrides.{name}", most) for name, most in OVERRIDE_LIMITS.items())
_NO_FIELD: Final = "is not a field of this request"
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


def request_from_body(org_id: OrgId, container: str, body: object) -> CloneRequest:
    """Read the path's container id and a parsed JSON body. Raises RequestInvalid."""
    problems: list[FieldProblem] = []
    container_id = _id(problems, "cnt", "containerId", container)
    if not isinstance(body, dict):
        problems.append(FieldProblem("", "the body must be a JSON object"))
        raise RequestInvalid(problems)
    if not body.keys() <= _FIELDS:
        problems += [FieldProblem(_shown(name), _NO_FIELD) for name in body if name not in _FIELDS]
    return _request(problems, org_id, container_id, body)


def request_from_event(record: CloneRequested) -> CloneRequest:
    """Read a record that internal systems wrote. Raises RequestInvalid.

    Checks the fields that only a record has as well: orgId, requestedBy, requestedAt, idempotencyKey, deadlineAt.
    """
    problems: list[FieldProblem] = []
    org_id = _id(problems, "org", "orgId", record["orgId"], parse_known_id)
    container_id = _id(problems, "cnt", "containerId", record["containerId"])
    _text(problems, "requestedBy", record["requestedBy"], MAX_REQUESTED_BY_CHARACTERS, 1)
    if record["idempotencyKey"] is not None:
        _text(problems, "idempotencyKey", record["idempotencyKey"], MAX_IDEMPOTENCY_KEY_CHARACTERS, 1)
    for name, value in (("requestedAt", record["requestedAt"]), ("deadlineAt", record["deadlineAt"])):
        if value is not None and not 0 <= value <= MAX_TIME_MS:
            problems.append(FieldProblem(name, "must be Unix milliseconds before the year 10000"))
    return _request(problems, org_id, container_id, record)


# 9999-12-31T23:59:59.999Z: what both Python and Postgres can hold.
MAX_TIME_MS: Final = 253_402_300_799_999


def job_id_of_malformed(record: CloneRequested) -> JobId:
    """The job id that a refusal of a malformed record carries: a function of the record's text, never of a valid job.

    The prefix cannot begin a canonical request, so no such id collides with one.
    """
    parts = (record["orgId"], record["containerId"], record["projectId"], record["projectLayerId"] or "")
    rest = (record["sourcePlatformPostId"], record["mode"], str(record["variations"]), repr(record["overrides"]))
    return job_id_of_canonical("\x1f".join(("malformed", *parts, *rest)).encode("utf-8", "replace"))


# Each of these adds what is wrong to `problems`, so that one answer names everything.


def _request(
    problems: list[FieldProblem],
    org_id: uuid.UUID | None,
    container_id: uuid.UUID | None,
    fields: Mapping[str, Any],
) -> CloneRequest:
    get = fields.get
    project_id = _id(problems, "proj", "projectId", get("projectId"), parse_known_id)
    layer = get("projectLayerId")
    layer_id = None if layer is None else _id(problems, "lay", "projectLayerId", layer, parse_known_id)
    source = _source(problems, get("sourcePlatformPostId"))
    mode = get("mode")
    if mode is None:
        mode = DEFAULT_MODE
    elif mode not in MODES:
        problems.append(FieldProblem("mode", 'must be "fork" or "reimagine"'))
    variations = get("variations")
    if variations is None:
        variations = DEFAULT_VARIATIONS
    elif type(variations) is not int or not 1 <= variations <= MAX_VARIATIONS:
        problems.append(FieldProblem("variations", f"must be an integer from 1 to {MAX_VARIATIONS}"))
    given = get("overrides")
    overrides = NO_OVERRIDES if given is None else _overrides(problems, given)
    if problems or org_id is None or container_id is None or project_id is None or source is None:
        raise RequestInvalid(problems)
    # In the order of its fields: by their names it would take twice as long.
    return CloneRequest(
        OrgId(org_id),
        ContainerId(container_id),
        ProjectId(project_id),
        source,
        None if layer_id is None else LayerId(layer_id),
        mode,
        variations,
        overrides,
    )


def _id(
    problems: list[FieldProblem],
    prefix: Prefix,
    field: str,
    value: object,
    parse: Callable[[Prefix, str], uuid.UUID] = parse_id,
) -> uuid.UUID | None:
    if isinstance(value, str):
        try:
            return parse(prefix, value)
        except InvalidId as error:
            problems.append(FieldProblem(field, str(error)))
    else:
        problems.append(FieldProblem(field, "is required" if value is None else "must be a string"))
    return None


def _text(problems: list[FieldProblem], field: str, value: object, most: int, least: int = 0) -> str | None:
    if not isinstance(value, str):
        problem = "must be a string"
    elif len(value) > most:
        problem = f"must have at most {most:,} characters; it has {len(value):,}"
    elif len(value) < least:
        problem = "must not be empty"
    elif "\x00" in value or (not value.isascii() and _has_surrogate(value)):
        problem = "must not contain NUL or a lone surrogate"
    else:
        return value
    problems.append(FieldProblem(field, problem))
    return None


def _source(problems: list[FieldProblem], value: object) -> str | None:
    if value is None:
        problems.append(FieldProblem("sourcePlatformPostId", "is required"))
        return None
    text = _text(problems, "sourcePlatformPostId", value, MAX_SOURCE_CHARACTERS, 1)
    # The shortest id of ours is `pp_` and 26 characters. Any other text is the platform's own id, kept as sent.
    if text is None or len(text) < _SHORTEST_ID:
        return text
    try:
        return str(parse_id("pp", text))
    except InvalidId:
        return text


def _overrides(problems: list[FieldProblem], value: object) -> Overrides:
    if not isinstance(value, dict):
        problems.append(FieldProblem("overrides", "must be an object"))
        return NO_OVERRIDES
    if not value.keys() <= OVERRIDE_LIMITS.keys():
        problems += [
            FieldProblem(f"overrides.{_shown(name)}", _NO_FIELD) for name in value if name not in OVERRIDE_LIMITS
        ]
    return Overrides(
        *[
            None if (text := value.get(name)) is None else _text(problems, field, text, most)
            for name, field, most in _OVERRIDE_FIELDS
        ]
    )


def _has_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _shown(name: object) -> str:
    # A field's name comes from outside: shortened, and safe to print.
    return str(name)[:80].encode("ascii", "backslashreplace").decode()
