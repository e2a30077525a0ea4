"""The work: organisations with enough credit, and clone requests as the bytes that an internal system would write."""

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from producer.ingest.requests import clone_record, outgoing
from runtime.publishing import Outgoing
from runtime.trace import new_traceparent
from schemas.canonical import CloneRequest
from schemas.ids import ContainerId, OrgId, ProjectId, new_request_id
from storage import reference
from storage.connection import Database

_SOURCE: Final = "7301"
# No round may meet a limit of the contract: it is the machine that is measured.
_CREDIT: Final = 10**15
_RUNNING_JOBS: Final = 10**6


@dataclass(frozen=True, slots=True)
class Tenant:
    """An organisation with one project, one layer and one source post."""

    org_id: uuid.UUID
    project_id: uuid.UUID

    def body(self, variations: int) -> dict[str, Any]:
        """A request over HTTP."""
        return {"projectId": str(self.project_id), "sourcePlatformPostId": _SOURCE, "variations": variations}


def settle_in(database: Database, organizations: int) -> list[Tenant]:
    """Import that many new organisations."""
    tenants = [Tenant(uuid.uuid4(), uuid.uuid4()) for _ in range(organizations)]
    with database.transaction() as connection:
        reference.import_lines(connection, [json.dumps(row) for tenant in tenants for row in _rows(tenant)])
    return tenants


def _rows(tenant: Tenant) -> Iterator[dict[str, Any]]:
    org, project = str(tenant.org_id), str(tenant.project_id)
    yield {"type": "organization", "id": org, "name": "Bench", "maxRunningJobs": _RUNNING_JOBS}
    yield {"type": "project", "id": project, "organizationId": org, "name": "Bench", "brand": {"name": "Bench"}}
    yield {"type": "layer", "id": str(uuid.uuid4()), "projectId": project, "name": "Bench", "format": "video"}
    yield {
        "type": "source_post",
        "id": str(uuid.uuid4()),
        "organizationId": org,
        "platform": "tiktok",
        "externalId": _SOURCE,
        "format": "video",
        "durationMs": 12_000,
    }
    yield {"type": "credit_grant", "id": str(uuid.uuid4()), "organizationId": org, "amount": _CREDIT}


def requests(
    tenants: Sequence[Tenant], *, jobs: int, variations: int, requested_by: str, at_ms: int, topic_prefix: str
) -> Iterator[Outgoing]:
    """Encoded CloneRequested records, the organisations in turn. `requested_by` marks the round's rows."""
    for number in range(jobs):
        tenant = tenants[number % len(tenants)]
        request = CloneRequest(
            org_id=OrgId(tenant.org_id),
            container_id=ContainerId(uuid.uuid4()),
            project_id=ProjectId(tenant.project_id),
            source=_SOURCE,
            variations=variations,
        )
        yield outgoing(
            "CloneRequested",
            clone_record(request, requested_by=requested_by, requested_at_ms=at_ms),
            request_id=str(new_request_id()),
            at_ms=at_ms,
            traceparent=new_traceparent(),
            topic_prefix=topic_prefix,
        )
