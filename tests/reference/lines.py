"""Lines of reference data, as the contract shows them."""

import json
import uuid
from typing import Any


def organization(**changes: Any) -> dict[str, Any]:
    return {"type": "organization", "id": str(uuid.uuid4()), "name": "Acme", "maxRunningJobs": 1000, **changes}


def project(organization_id: str, **changes: Any) -> dict[str, Any]:
    brand = {
        "name": "Luma",
        "product": "vitamin C serum",
        "audience": "early risers",
        "benefits": ["sinks in within a minute"],
        "proof": ["a test with 120 people"],
        "tone": ["warm", "direct"],
        "preferredWords": [],
        "bannedWords": [],
        "cta": {"kind": "link", "text": "Tap the link"},
        "handle": "@luma",
    }
    return {
        "type": "project",
        "id": str(uuid.uuid4()),
        "organizationId": organization_id,
        "name": "Luma",
        "brand": brand,
        **changes,
    }


def layer(project_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "type": "layer",
        "id": str(uuid.uuid4()),
        "projectId": project_id,
        "name": "UGC video",
        "status": "active",
        "format": "video",
        "platform": "tiktok",
        "language": "en",
        **changes,
    }


def post(organization_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "type": "source_post",
        "id": str(uuid.uuid4()),
        "organizationId": organization_id,
        "projectId": None,
        "platform": "tiktok",
        "externalId": uuid.uuid4().hex,
        "format": "video",
        "url": "https://example.com/p/7301",
        "caption": "Nobody told me — “this” works, 日本語 too.",
        "durationMs": 21000,
        "transcript": [{"startMs": 0, "endMs": 2400, "text": "Nobody told me."}],
        "shots": [{"startMs": 0, "endMs": 1800, "description": "A face in the mirror"}],
        "publishedAt": "2026-01-31T12:00:00.250Z",
        "metrics": {
            "30d": {"views": 1, "engagementRate": 0.1, "conversions": 1, "roas": 1.0, "watchTimeMs": 9_000_000_000}
        },
        **changes,
    }


def grant(organization_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "type": "credit_grant",
        "id": str(uuid.uuid4()),
        "organizationId": organization_id,
        "amount": 100000,
        "note": "a start",
        **changes,
    }


def everything() -> list[dict[str, Any]]:
    """One line of each type that belong together, owners first."""
    org = organization()
    owner = org["id"]
    brand = project(owner)
    return [org, brand, layer(brand["id"]), post(owner), post(owner, projectId=brand["id"]), grant(owner)]


def jsonl(*objects: Any) -> str:
    return "\n".join(json.dumps(value, ensure_ascii=False) for value in objects) + "\n"
