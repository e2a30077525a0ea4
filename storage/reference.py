"""Reference data in and out: an upsert by id, all or nothing, in the order in which one thing refers to another."""

import csv
import io
import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from psycopg import errors as pg
from pydantic import ValidationError

from runtime.errors import ClonepostError
from schemas import reference
from schemas.reference import LINE, TYPES, Layer, Line, Organization, Project, SourcePost
from storage.connection import Connection
from storage.wallets import Grant, grant

_CHUNK: Final = 1_000
_JSON_FIELDS: Final = frozenset({"brand", "transcript", "shots", "metrics"})


class BadLine(ClonepostError):
    """A line that cannot be imported; nothing was written."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"line {number}: {reason}; nothing was imported")
        self.number = number


def import_lines(connection: Connection, lines: Iterable[str]) -> dict[str, int]:
    """Upsert JSONL, one object a line; empty lines are passed over. Returns how many of each type.

    Call it inside a transaction: all or nothing. Raises BadLine with the line's number and what is wrong with it.
    """
    parsed = [(number, _parse(number, text)) for number, text in enumerate(lines, start=1) if text.strip()]
    return _import(connection, parsed)


def import_csv(connection: Connection, text: str, line_type: str) -> dict[str, int]:
    """Upsert CSV of one type: a header of field names; nested fields (brand, shots, …) hold JSON. Like import_lines."""
    parsed = []
    for number, row in enumerate(csv.DictReader(io.StringIO(text)), start=2):
        fields: dict[str, Any] = {"type": line_type}
        for name, value in row.items():
            if name is None or value is None:
                raise BadLine(number, "it has another number of columns than the header")
            if value != "":
                fields[name] = _json(number, value) if name in _JSON_FIELDS else value
        parsed.append((number, _validated(number, lambda fields=fields: LINE.validate_python(fields))))
    return _import(connection, parsed)


def export_lines(connection: Connection) -> Iterator[str]:
    """All reference data as JSONL, in an order that imports."""
    for statement, build in _EXPORTS:
        for row in connection.execute(statement):
            yield json.dumps(reference.shown(LINE.validate_python(build(*row))), ensure_ascii=False)


def _import(connection: Connection, parsed: Sequence[tuple[int, Line]]) -> dict[str, int]:
    seen: dict[tuple[str, uuid.UUID], int] = {}
    for number, line in parsed:
        earlier = seen.setdefault((line.type, line.id), number)
        if earlier != number:
            raise BadLine(number, f"the {line.type} {line.id} stands on line {earlier} already")
    organizations = _organizations_of_projects(connection, [line for _, line in parsed])
    for line_type in TYPES:
        rows = [(number, line) for number, line in parsed if line.type == line_type]
        for start in range(0, len(rows), _CHUNK):
            _upsert(connection, rows[start : start + _CHUNK], organizations)
    return dict(Counter(line.type for _, line in parsed))


def _upsert(
    connection: Connection, rows: Sequence[tuple[int, Line]], organizations: dict[uuid.UUID, uuid.UUID]
) -> None:
    line_type = rows[0][1].type
    if line_type == "credit_grant":
        for number, line in rows:
            _naming(number, lambda line=line: _grant(connection, line))
        return
    statement = _UPSERTS[line_type]
    for number, line in rows:
        parameters = _parameters(number, line, organizations)
        changed = _naming(number, lambda parameters=parameters: connection.execute(statement, parameters).rowcount)
        if changed != 1:
            raise BadLine(number, f"the {line_type} {line.id} belongs to another organisation or project")


def _grant(connection: Connection, line: Any) -> None:
    grant(connection, [Grant(line.organization_id, line.id, line.amount, line.note)])


def _parameters(number: int, line: Line, organizations: dict[uuid.UUID, uuid.UUID]) -> dict[str, Any]:
    values: dict[str, Any] = line.model_dump(by_alias=False)
    if isinstance(line, Layer):
        org_id = organizations.get(line.project_id)
        if org_id is None:
            raise BadLine(number, f"there is no project {line.project_id}")
        values["organization_id"] = org_id
    if isinstance(line, Project):
        values["brand"] = json.dumps(line.brand.model_dump(mode="json", by_alias=True, exclude_none=True))
    if isinstance(line, SourcePost):
        dumped = line.model_dump(mode="json", by_alias=True)
        for name in ("transcript", "shots", "metrics"):
            values[name] = None if dumped[name] is None else json.dumps(dumped[name])
    return values


def _naming(number: int, effect: Callable[[], Any]) -> Any:
    """Run one line's statement; what the database refuses is the line's fault, named."""
    try:
        return effect()
    except pg.ForeignKeyViolation as error:
        raise BadLine(number, f"what it refers to does not exist ({error.diag.constraint_name})") from error
    except pg.UniqueViolation as error:
        raise BadLine(number, f"another row has the same ids ({error.diag.constraint_name})") from error
    except pg.DataError as error:
        raise BadLine(number, f"the database refuses a value ({error.diag.message_primary})") from error


def _organizations_of_projects(connection: Connection, lines: Sequence[Line]) -> dict[uuid.UUID, uuid.UUID]:
    wanted = list({line.project_id for line in lines if isinstance(line, Layer)})
    rows = connection.execute("SELECT project_id, org_id FROM projects WHERE project_id = ANY(%s::uuid[])", (wanted,))
    known = dict(rows.fetchall())
    return known | {line.id: line.organization_id for line in lines if isinstance(line, Project)}


def _parse(number: int, text: str) -> Line:
    return _validated(number, lambda: LINE.validate_json(text))


def _validated(number: int, validate: Callable[[], Line]) -> Line:
    try:
        line = validate()
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadLine(number, f"{where or 'the line'}: {first['msg']}") from error
    if isinstance(line, Organization | Project | Layer | SourcePost) and "\x00" in line.model_dump_json():
        raise BadLine(number, "a text contains NUL")
    return line


def _json(number: int, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise BadLine(number, f"a nested field is no JSON: {error.msg}") from error


_UPSERTS: Final = {
    "organization": """WITH made AS (
        INSERT INTO organizations (org_id, name, max_running_jobs) VALUES (%(id)s, %(name)s, %(max_running_jobs)s)
        ON CONFLICT (org_id) DO UPDATE SET name = excluded.name, max_running_jobs = excluded.max_running_jobs
        RETURNING org_id
      ), wallet AS (INSERT INTO wallets (org_id) SELECT org_id FROM made ON CONFLICT DO NOTHING)
      SELECT org_id FROM made""",
    "project": """INSERT INTO projects AS p (org_id, project_id, name, brand)
      VALUES (%(organization_id)s, %(id)s, %(name)s, %(brand)s::jsonb)
      ON CONFLICT (project_id) DO UPDATE SET name = excluded.name, brand = excluded.brand
      WHERE p.org_id = excluded.org_id""",
    "layer": """INSERT INTO project_layers AS l (org_id, project_id, layer_id, name, status, format, platform, language)
      VALUES (%(organization_id)s, %(project_id)s, %(id)s, %(name)s, %(status)s, %(format)s, %(platform)s, %(language)s)
      ON CONFLICT (layer_id) DO UPDATE SET name = excluded.name, status = excluded.status, format = excluded.format,
        platform = excluded.platform, language = excluded.language
      WHERE l.org_id = excluded.org_id AND l.project_id = excluded.project_id""",
    "source_post": """INSERT INTO source_posts AS s (org_id, post_id, project_id, platform, external_id, format, url,
        caption, duration_ms, transcript, shots, published_at, metrics)
      VALUES (%(organization_id)s, %(id)s, %(project_id)s, %(platform)s, %(external_id)s, %(format)s, %(url)s,
        %(caption)s, %(duration_ms)s, %(transcript)s::jsonb, %(shots)s::jsonb, %(published_at)s, %(metrics)s::jsonb)
      ON CONFLICT (post_id) DO UPDATE SET project_id = excluded.project_id, platform = excluded.platform,
        external_id = excluded.external_id, format = excluded.format, url = excluded.url, caption = excluded.caption,
        duration_ms = excluded.duration_ms, transcript = excluded.transcript, shots = excluded.shots,
        published_at = excluded.published_at, metrics = excluded.metrics
      WHERE s.org_id = excluded.org_id""",
}

_EXPORTS: Final[tuple[tuple[str, Callable[..., dict[str, Any]]], ...]] = (
    (
        "SELECT org_id, name, max_running_jobs FROM organizations ORDER BY org_id",
        lambda org_id, name, most: {"type": "organization", "id": org_id, "name": name, "maxRunningJobs": most},
    ),
    (
        "SELECT project_id, org_id, name, brand FROM projects ORDER BY org_id, project_id",
        lambda project_id, org_id, name, brand: {
            "type": "project",
            "id": project_id,
            "organizationId": org_id,
            "name": name,
            "brand": brand,
        },
    ),
    (
        """SELECT layer_id, project_id, name, status, format, platform, language FROM project_layers
           ORDER BY org_id, project_id, layer_id""",
        lambda layer_id, project_id, name, status, layer_format, platform, language: {
            "type": "layer",
            "id": layer_id,
            "projectId": project_id,
            "name": name,
            "status": status,
            "format": layer_format,
            "platform": platform,
            "language": language,
        },
    ),
    (
        """SELECT post_id, org_id, project_id, platform, external_id, format, url, caption, duration_ms, transcript,
             shots, published_at, metrics FROM source_posts ORDER BY org_id, post_id""",
        lambda *row: dict(
            zip(
                (
                    "id",
                    "organizationId",
                    "projectId",
                    "platform",
                    "externalId",
                    "format",
                    "url",
                    "caption",
                    "durationMs",
                    "transcript",
                    "shots",
                    "publishedAt",
                    "metrics",
                ),
                row,
                strict=True,
            ),
            type="source_post",
        ),
    ),
    (
        "SELECT grant_id, org_id, amount, note FROM credit_grants ORDER BY created_at, grant_id",
        lambda grant_id, org_id, amount, note: {
            "type": "credit_grant",
            "id": grant_id,
            "organizationId": org_id,
            "amount": amount,
            "note": note,
        },
    ),
)
