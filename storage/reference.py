"""Reference data in: an upsert by id, all or nothing, whatever order the lines stand in.

An object never moves to another owner: that would turn one organisation's history into another's.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from psycopg.types.json import Jsonb
from pydantic import BaseModel

from runtime.errors import ClonepostError
from schemas.reference import LineType, stored
from schemas.reference_files import FileRead, Problem, read_csv, read_json_lines
from storage.connection import Connection
from storage.reference_checks import Known, Plan, known, plan_of, problems, project_owners
from storage.wallets import Grant, grant

_SHOWN: Final = 20
_IMPORT_LOCK: Final = 5_093_617_248


class BadLines(ClonepostError):
    """Lines that cannot be imported; nothing was written. `problems` has each, in the file's order."""

    def __init__(self, found: Iterable[Problem]) -> None:
        self.problems = sorted(found, key=lambda problem: problem.number)
        shown = [f"line {problem.number}: {problem.reason}" for problem in self.problems[:_SHOWN]]
        more = len(self.problems) - _SHOWN
        super().__init__("\n".join([*shown, *([f"and {more:,} more"] if more > 0 else []), "nothing was imported"]))


def import_lines(connection: Connection, lines: Iterable[str]) -> dict[str, int]:
    """Upsert JSONL, one object a line; empty lines are passed over.

    Call it inside a transaction: all or nothing. Returns how many of each type were written; a grant that was applied
    before is not counted. Raises BadLines.
    """
    return _import(connection, read_json_lines(lines))


def import_csv(connection: Connection, text: str, line_type: LineType) -> dict[str, int]:
    """Upsert CSV of one type: a header of field names; what is no text (brand, durationMs, …) is JSON in its cell.
    Like import_lines."""
    return _import(connection, read_csv(text, line_type))


def _import(connection: Connection, read: FileRead) -> dict[str, int]:
    plan = plan_of(read.lines)
    # Owners that stand on a line which cannot be read would be reported as missing, so the file's faults come alone.
    if read.problems:
        raise BadLines([*read.problems, *plan.problems])
    # One import at a time: two that name the same posts by other ids would meet in both indexes, in any order, and each
    # is told of what the other one has written.
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_IMPORT_LOCK,))
    found = known(connection, plan)
    wrong = problems(plan, found)
    if wrong:
        raise BadLines(wrong)
    _write(connection, plan, found)
    counts: dict[LineType, int] = {
        "organization": len(plan.organizations),
        "project": len(plan.projects),
        "layer": len(plan.layers),
        "source_post": len(plan.posts),
        "credit_grant": len(plan.grants.keys() - found.grants.keys()),
    }
    return {name: count for name, count in counts.items() if count}


def _write(connection: Connection, plan: Plan, found: Known) -> None:
    owners = project_owners(plan, found)
    # executemany sends its rows in one pipeline: a round trip for all of them, not one each.
    with connection.cursor() as cursor:
        cursor.executemany(
            """INSERT INTO organizations (org_id, name, max_running_jobs) VALUES (%s, %s, %s)
               ON CONFLICT (org_id) DO UPDATE SET name = excluded.name, max_running_jobs = excluded.max_running_jobs""",
            [(o.id, o.name, o.max_running_jobs) for _, o in plan.organizations.values()],
        )
        cursor.executemany(
            "INSERT INTO wallets (org_id) VALUES (%s) ON CONFLICT DO NOTHING", [(id_,) for id_ in plan.organizations]
        )
        cursor.executemany(
            """INSERT INTO projects (org_id, project_id, name, brand) VALUES (%s, %s, %s, %s)
               ON CONFLICT (project_id) DO UPDATE SET name = excluded.name, brand = excluded.brand""",
            [(p.organization_id, p.id, p.name, Jsonb(stored(p.brand))) for _, p in plan.projects.values()],
        )
        cursor.executemany(
            """INSERT INTO project_layers (org_id, project_id, layer_id, name, status, format, platform, language)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
               ON CONFLICT (layer_id) DO UPDATE SET name = excluded.name, status = excluded.status,
                 format = excluded.format, platform = excluded.platform, language = excluded.language""",
            [
                (owners[la.project_id], la.project_id, la.id, la.name, la.status, la.format, la.platform, la.language)
                for _, la in plan.layers.values()
            ],
        )
        cursor.executemany(
            """INSERT INTO source_posts (org_id, post_id, project_id, platform, external_id, format, url, caption,
                 duration_ms, transcript, shots, published_at, metrics)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
               ON CONFLICT (post_id) DO UPDATE SET project_id = excluded.project_id, platform = excluded.platform,
                 external_id = excluded.external_id, format = excluded.format, url = excluded.url,
                 caption = excluded.caption, duration_ms = excluded.duration_ms, transcript = excluded.transcript,
                 shots = excluded.shots, published_at = excluded.published_at, metrics = excluded.metrics""",
            [
                (
                    *(p.organization_id, p.id, p.project_id, p.platform, p.external_id, p.format, p.url, p.caption),
                    *(p.duration_ms, _listed(p.transcript), _listed(p.shots), p.published_at, _by_window(p.metrics)),
                )
                for _, p in plan.posts.values()
            ],
        )
    # Wallets are locked in sorted order, as everywhere: `grant` sorts.
    grant(connection, [Grant(g.organization_id, g.id, g.amount, g.note) for _, g in plan.grants.values()])


def _listed(models: Sequence[BaseModel] | None) -> Jsonb | None:
    return None if models is None else Jsonb([stored(model) for model in models])


def _by_window(models: Any) -> Jsonb | None:
    return None if models is None else Jsonb({window: stored(model) for window, model in models.items()})
