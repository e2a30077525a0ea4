"""The organisations of a load, and their reference data as lines for `clonepost reference import`."""

import json
import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

POSTS: Final = ("7301", "7302")
"""The platform's own ids of each organisation's posts; the organisations share them, as real ones might."""
_FORMATS: Final = ("video", "slideshow")


@dataclass(slots=True)
class Tenant:
    """One organisation: a project a format, each with one active layer. `poor` ones cannot pay for anything.

    `api_key` is set by whoever made the key.
    """

    org: str
    projects: tuple[str, ...]
    layers: tuple[str, ...]
    posts: tuple[str, ...]
    poor: bool = False
    api_key: str = field(default="", repr=False)


def make_tenants(*, seed: int, count: int = 3, poor: int = 1) -> list[Tenant]:
    """Organisations with ids of their own, the last `poor` ones without credits. The same seed gives the same ids."""
    source = random.Random(f"tenants/{seed}")  # noqa: S311 -- repeatable on purpose
    return [
        Tenant(
            org=_id(source),
            projects=tuple(_id(source) for _ in _FORMATS),
            layers=tuple(_id(source) for _ in _FORMATS),
            posts=tuple(_id(source) for _ in POSTS),
            poor=number >= count,
        )
        for number in range(count + poor)
    ]


def reference_lines(
    tenants: Sequence[Tenant], *, credit: int = 1_000_000_000, caption: str = "my honest shelf"
) -> list[str]:
    """The tenants' reference data, one JSON object a line; `caption` is each post's, where a script may stand."""
    rows: list[dict[str, Any]] = []
    for tenant in tenants:
        rows.append({"type": "organization", "id": tenant.org, "name": "Acme", "maxRunningJobs": 1_000_000})
        for project, layer, made in zip(tenant.projects, tenant.layers, _FORMATS, strict=True):
            rows.append(_project(tenant, project))
            rows.append({"type": "layer", "id": layer, "projectId": project, "name": made, "format": made})
        rows += [_post(tenant, post, external, caption) for post, external in zip(tenant.posts, POSTS, strict=True)]
        if not tenant.poor:
            grant = str(uuid.uuid5(uuid.UUID(tenant.org), "grant"))
            rows.append({"type": "credit_grant", "id": grant, "organizationId": tenant.org, "amount": credit})
    return [json.dumps(row) for row in rows]


def _project(tenant: Tenant, project: str) -> dict[str, Any]:
    brand: dict[str, Any] = {"name": "Luma", "product": "vitamin C serum", "benefits": ["brightens in a week"]}
    brand |= {"proof": ["tested by dermatologists"], "cta": {"kind": "link", "text": "Tap the link for Luma"}}
    return {"type": "project", "id": project, "organizationId": tenant.org, "name": "Luma", "brand": brand}


def _post(tenant: Tenant, post: str, external: str, caption: str) -> dict[str, Any]:
    spoken = [
        {"startMs": 0, "endMs": 3000, "text": "Stop buying ten bottles."},
        {"startMs": 3000, "endMs": 9000, "text": "I hated my shelf for years."},
        {"startMs": 9000, "endMs": 12000, "text": "Link in bio."},
    ]
    return {
        "type": "source_post",
        "id": post,
        "organizationId": tenant.org,
        "platform": "tiktok",
        "externalId": external,
        "format": "video",
        "caption": caption,
        "durationMs": 12000,
        "transcript": spoken,
    }


def _id(source: random.Random) -> str:
    return str(uuid.UUID(int=source.getrandbits(128), version=4))
