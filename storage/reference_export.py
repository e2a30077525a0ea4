"""Reference data out, as the import takes it: an export imported into an empty database gives the same data."""

import json
import uuid
from collections.abc import Iterator
from typing import Any, Final, LiteralString

from psycopg.rows import dict_row

from schemas.headers import rfc3339
from schemas.reference import TYPES, LineType
from schemas.reference_files import write_csv
from storage.connection import Connection

# By id within a type, so that two exports can be compared.
_QUERIES: Final[dict[LineType, LiteralString]] = {
    "organization": """SELECT org_id AS id, name, max_running_jobs AS "maxRunningJobs" FROM organizations
                       ORDER BY id""",
    "project": """SELECT project_id AS id, org_id AS "organizationId", name, brand FROM projects ORDER BY id""",
    "layer": """SELECT layer_id AS id, project_id AS "projectId", name, status, format, platform, language
                FROM project_layers ORDER BY id""",
    "source_post": """SELECT post_id AS id, org_id AS "organizationId", project_id AS "projectId", platform,
                        external_id AS "externalId", format, url, caption, duration_ms AS "durationMs", transcript,
                        shots, (extract(epoch FROM published_at) * 1000)::bigint AS "publishedAt", metrics
                      FROM source_posts ORDER BY id""",
    "credit_grant": """SELECT grant_id AS id, org_id AS "organizationId", amount, note FROM credit_grants
                       ORDER BY id""",
}


def export_lines(connection: Connection) -> Iterator[str]:
    """All reference data as JSONL, owners first. Call it inside a transaction: it reads row by row."""
    for line_type in TYPES:
        for value in _objects(connection, line_type):
            yield json.dumps(value, ensure_ascii=False)


def export_csv(connection: Connection, line_type: LineType) -> Iterator[str]:
    """The objects of one type as CSV, header first. Like export_lines."""
    return write_csv(_objects(connection, line_type), line_type)


def _objects(connection: Connection, line_type: LineType) -> Iterator[dict[str, Any]]:
    # A cursor on the server: an export need not fit into memory.
    with connection.cursor(f"export_{line_type}", row_factory=dict_row) as cursor:
        for row in cursor.execute(_QUERIES[line_type]):
            yield {"type": line_type, **{name: _shown(name, row[name]) for name in row if _is_shown(name, row[name])}}


def _is_shown(name: str, value: object) -> bool:
    # Without a project a post is the whole organisation's: that is said, the rest is left out where it is absent.
    return value is not None or name == "projectId"


def _shown(name: str, value: Any) -> Any:
    if isinstance(value, uuid.UUID):
        return str(value)
    return rfc3339(value) if name == "publishedAt" else value
