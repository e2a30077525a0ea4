"""The life of a render: one function per transition, each a single statement that names the states it leaves.

`expect` is the generate role's, the rest the render role's. Time is the database's `clock_timestamp()` alone.
"""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from storage.connection import Connection
from storage.variations import Lease, to_json

MAX_LOSSES: Final = 3
"""With its third lost renderer a render fails: it may be what kills them."""

_FIRST: Final = uuid.UUID(int=0)


@dataclass(frozen=True, slots=True)
class RenderOrder:
    """One variation to render, with all that its pictures and its voice are made from."""

    lease: Lease
    org_id: uuid.UUID
    brand: dict[str, Any]
    layer_format: str
    language: str
    creative: dict[str, Any]
    hook_shape: str
    visual_format: str
    duration_ms: int
    beats: list[dict[str, Any]]
    """Kind, startMs and endMs of each, as the generator planned them; empty where it does not say."""


def expect(connection: Connection, succeeded: Collection[Lease]) -> None:
    """none -> pending for variations that have just succeeded, in the transaction that says so."""
    ordered = sorted(succeeded)
    connection.execute(
        """INSERT INTO renders (job_id, variation_index, org_id)
           SELECT v.job_id, v.variation_index, v.org_id
           FROM unnest(%b::uuid[], %b::smallint[]) AS r (job_id, variation_index) JOIN variations v
             ON v.job_id = r.job_id AND v.variation_index = r.variation_index
           ON CONFLICT (job_id, variation_index) DO NOTHING""",
        ([lease.job_id for lease in ordered], [lease.index for lease in ordered]),
    )


def claim(connection: Connection, *, after: uuid.UUID, lease_seconds: float) -> RenderOrder | None:
    """pending -> leased for the oldest render of the next organisation after `after`; None when none may start now.

    One at a time and in turns, so that a flood of one organisation delays another's next render by one.
    """
    for beyond in (after, _FIRST):
        row = connection.execute(
            """WITH next AS (
                 SELECT r.job_id, r.variation_index FROM renders r
                 WHERE r.state = 'pending' AND r.org_id > %(after)s AND r.not_before <= (SELECT clock_timestamp())
                 ORDER BY r.org_id, r.not_before LIMIT 1 FOR UPDATE SKIP LOCKED
               )
               UPDATE renders r SET state = 'leased', attempt = r.attempt + 1,
                 lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
               FROM next n
                 JOIN variations v USING (job_id, variation_index)
                 JOIN claims c USING (job_id)
                 JOIN projects p ON p.org_id = c.org_id AND p.project_id = c.project_id
                 JOIN project_layers l
                   ON l.org_id = c.org_id AND l.project_id = c.project_id AND l.layer_id = c.layer_id
               WHERE r.job_id = n.job_id AND r.variation_index = n.variation_index
               RETURNING r.job_id, r.variation_index, r.attempt, r.org_id,
                 jsonb_build_object('name', p.name) || p.brand, l.format, l.language, v.creative, v.hook_shape,
                 v.visual_format, v.duration_ms, coalesce(v.provenance->'beats', '[]'::jsonb)""",
            {"after": beyond, "lease": lease_seconds},
            binary=True,
        ).fetchone()
        if row is not None:
            return RenderOrder(Lease(*row[:3]), *row[3:])
    return None


def renew(connection: Connection, leases: Sequence[Lease], *, lease_seconds: float) -> set[Lease]:
    """Extend the leases that are still held; returns them."""
    rows = connection.execute(
        """UPDATE renders r SET lease_until = clock_timestamp() + make_interval(secs => %b)
           FROM unnest(%b::uuid[], %b::smallint[], %b::smallint[]) AS mine (job_id, variation_index, attempt)
           WHERE r.job_id = mine.job_id AND r.variation_index = mine.variation_index AND r.attempt = mine.attempt
             AND r.state = 'leased'
           RETURNING r.job_id, r.variation_index, r.attempt""",
        (lease_seconds, *_columns(leases)),
        binary=True,
    )
    return {Lease(*row) for row in rows}


def finish(connection: Connection, lease: Lease, assets: Sequence[dict[str, Any]]) -> bool:
    """leased -> ready. Whether it was taken: another attempt may have."""
    cursor = connection.execute(
        """UPDATE renders SET state = 'ready', lease_until = NULL, finished_at = clock_timestamp(),
             assets = %(assets)s
           WHERE job_id = %(job_id)s AND variation_index = %(index)s AND attempt = %(attempt)s AND state = 'leased'""",
        {**lease._asdict(), "assets": to_json(list(assets))},
    )
    return cursor.rowcount == 1


def fail(connection: Connection, lease: Lease, code: str, message: str) -> bool:
    """leased -> failed, for good: rendering it again would not help. Whether it was taken."""
    cursor = connection.execute(
        """UPDATE renders SET state = 'failed', lease_until = NULL, finished_at = clock_timestamp(),
             error_code = %(code)s, error_message = %(message)s
           WHERE job_id = %(job_id)s AND variation_index = %(index)s AND attempt = %(attempt)s AND state = 'leased'""",
        {**lease._asdict(), "code": code, "message": message},
    )
    return cursor.rowcount == 1


def lose(connection: Connection, lease: Lease, code: str, message: str, *, wait_seconds: float) -> None:
    """leased -> pending after a wait, or failed with the third loss: its renderer hung, died or ate the memory."""
    connection.execute(
        """UPDATE renders SET losses = losses + 1, lease_until = NULL,
             state = CASE WHEN losses + 1 < %(most)s THEN 'pending' ELSE 'failed' END,
             not_before = clock_timestamp() + make_interval(secs => %(wait)s),
             finished_at = CASE WHEN losses + 1 < %(most)s THEN NULL ELSE clock_timestamp() END,
             error_code = CASE WHEN losses + 1 < %(most)s THEN NULL ELSE %(code)s END,
             error_message = CASE WHEN losses + 1 < %(most)s THEN NULL ELSE %(message)s END
           WHERE job_id = %(job_id)s AND variation_index = %(index)s AND attempt = %(attempt)s AND state = 'leased'""",
        {**lease._asdict(), "most": MAX_LOSSES, "wait": wait_seconds, "code": code, "message": message},
    )


def put_back(connection: Connection, leases: Sequence[Lease]) -> None:
    """leased -> pending at once: a stop. Counts as no loss."""
    connection.execute(
        """UPDATE renders r SET state = 'pending', lease_until = NULL
           FROM unnest(%b::uuid[], %b::smallint[], %b::smallint[]) AS mine (job_id, variation_index, attempt)
           WHERE r.job_id = mine.job_id AND r.variation_index = mine.variation_index AND r.attempt = mine.attempt
             AND r.state = 'leased'""",
        _columns(leases),
    )


def requeue_lost(connection: Connection) -> int:
    """leased -> pending, or failed with the third loss, where the lease has run out: its process vanished."""
    cursor = connection.execute(
        """UPDATE renders r SET losses = r.losses + 1, lease_until = NULL,
             state = CASE WHEN r.losses + 1 < %(most)s THEN 'pending' ELSE 'failed' END,
             finished_at = CASE WHEN r.losses + 1 < %(most)s THEN NULL ELSE clock_timestamp() END,
             error_code = CASE WHEN r.losses + 1 < %(most)s THEN NULL ELSE 'RENDERER_LOST' END,
             error_message = CASE WHEN r.losses + 1 < %(most)s THEN NULL ELSE 'Its renderers vanished.' END
           FROM (SELECT job_id, variation_index FROM renders
                 WHERE state = 'leased' AND lease_until < (SELECT clock_timestamp())
                 FOR UPDATE SKIP LOCKED) lost
           WHERE r.job_id = lost.job_id AND r.variation_index = lost.variation_index""",
        {"most": MAX_LOSSES},
    )
    return cursor.rowcount


def oldest_unfinished_ms(connection: Connection) -> int | None:
    """Since when (Unix ms) the oldest render that has not ended waits or runs; None where all have."""
    row = connection.execute(
        """SELECT (extract(epoch FROM created_at) * 1000)::bigint FROM renders WHERE finished_at IS NULL
           ORDER BY created_at LIMIT 1"""
    ).fetchone()
    return None if row is None else int(row[0])


def _columns(leases: Sequence[Lease]) -> tuple[list[uuid.UUID], list[int], list[int]]:
    ordered = sorted(leases)
    return [one.job_id for one in ordered], [one.index for one in ordered], [one.attempt for one in ordered]
