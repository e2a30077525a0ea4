"""What generation reads: the claim of a job, and the brand, layer and source post that it names."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from storage.connection import Connection


@dataclass(frozen=True, slots=True)
class Material:
    """All that a creative is made from. `source` has platform, format, caption, durationMs, transcript, shots."""

    job_id: uuid.UUID
    container_id: uuid.UUID
    org_id: uuid.UUID
    project_id: uuid.UUID
    traceparent: str | None
    mode: str
    variations: int
    overrides: dict[str, str]
    ordinal: int
    brand: dict[str, Any]
    layer_format: str
    platform: str | None
    language: str
    source: dict[str, Any]


def material(connection: Connection, job_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Material]:
    """The material of these jobs, in one query; a job that is not accepted is not in it."""
    rows = connection.execute(
        """SELECT c.job_id, c.container_id, c.org_id, c.project_id, c.traceparent, c.mode, c.variations,
                  coalesce(c.overrides, '{}'::jsonb), c.ordinal,
                  jsonb_build_object('name', p.name) || p.brand, l.format, l.platform, l.language,
                  jsonb_build_object('platform', s.platform, 'format', s.format, 'caption', s.caption,
                    'durationMs', s.duration_ms, 'transcript', s.transcript, 'shots', s.shots)
           FROM claims c
           JOIN projects p ON p.org_id = c.org_id AND p.project_id = c.project_id
           JOIN project_layers l ON l.org_id = c.org_id AND l.project_id = c.project_id AND l.layer_id = c.layer_id
           JOIN source_posts s ON s.org_id = c.org_id AND s.post_id = c.source_post_id
           WHERE c.job_id = ANY(%s::uuid[])""",
        (list(job_ids),),
        binary=True,
    )
    return {row[0]: Material(*row) for row in rows}


def containers(
    connection: Connection, job_ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, tuple[uuid.UUID, uuid.UUID, str | None]]:
    """The organisation, the container and the traceparent of these jobs, for the records about them."""
    rows = connection.execute(
        "SELECT job_id, org_id, container_id, traceparent FROM claims WHERE job_id = ANY(%s::uuid[])",
        (list(job_ids),),
        binary=True,
    )
    return {job_id: (org_id, container_id, traceparent) for job_id, org_id, container_id, traceparent in rows}
