"""The routes of the read side."""

import time
from collections.abc import Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from producer.errors import Answer, ApiError, json_answer
from producer.ratelimit import EndpointClass
from producer.read import envelopes, parameters
from producer.read.following import job_events, last_seen, preferred_wait_seconds, refusal_events
from producer.read.lookup import Lookup
from producer.read.streams import OpenStreams
from producer.read.watch import JobWatch, Snapshot
from producer.routing import Caller, Gate, Handler, keyed
from schemas.errors import ErrorCode
from schemas.ids import format_id
from storage.reads import Reads

_METRICS: Final = {
    "views": "views",
    "engagement_rate": "engagementRate",
    "conversions": "conversions",
    "roas": "roas",
    "watch_time_ms": "watchTimeMs",
}
_WINDOWS: Final = ("7d", "30d", "90d")


class ReadRoutes:
    """Handlers of the read side; each answers for the caller's organisation only."""

    def __init__(self, reads: Reads, lookup: Lookup, watch: JobWatch, streams: OpenStreams) -> None:
        self._reads = reads
        self._streams = streams
        self._lookup = lookup
        self._watch = watch

    def routes(self, gate: Gate) -> list[Route]:
        """Every route, behind the gate."""

        def get(path: str, handler: Handler, scope: str | None, endpoint_class: EndpointClass = "read-light") -> Route:
            endpoint = keyed(gate, handler, scope=scope, endpoint_class=endpoint_class)
            return Route(path, endpoint, methods=["GET"])

        return [
            get("/v1/jobs", self.list_jobs, "jobs:read"),
            get("/v1/jobs/{jobId}", self.job, "jobs:read"),
            get("/v1/jobs/{jobId}/events", self.job_events, "jobs:read"),
            get("/v1/content/{containerId}", self.content, "content:read"),
            get("/v1/content/{containerId}/progress", self.progress, "content:read"),
            get("/v1/projects/{projectId}/content", self.project_content, "content:read"),
            get("/v1/projects/{projectId}/top-performers", self.top_performers, "metrics:read"),
            get("/v1/credits", self.credits, None),
            get("/v1/whoami", self.whoami, None),
        ]

    async def job(self, request: Request, caller: Caller) -> Answer:
        """The job envelope, with ETag, If-None-Match and Prefer: wait."""
        job_id = parameters.path_id("job", "jobId", request.path_params["jobId"])
        row, accepted = await self._lookup.job(caller.key.org_id, job_id)
        known = request.headers.get("if-none-match")
        headers: list[tuple[bytes, bytes]] = []
        snapshot: Snapshot | None = None
        wait_seconds = preferred_wait_seconds(request.headers.getlist("prefer"))
        if wait_seconds is not None:
            headers.append((b"preference-applied", b"wait=%d" % wait_seconds))
            # Who knows an older version than this one has nothing to wait for.
            current = known is None or _matches(known, _etag(row, accepted=accepted))
            if wait_seconds and accepted and current and row["status"] not in envelopes.TERMINAL:
                snapshot = await self._watch.changed(
                    caller.key.org_id, job_id, row["version"], timeout_seconds=wait_seconds
                )
        if snapshot is not None:
            row = snapshot.job
        etag = _etag(row, accepted=accepted)
        headers.append((b"etag", etag.encode()))
        if _matches(known, etag):
            return Answer(304, b"", tuple(headers))
        if not accepted:
            return json_answer(200, envelopes.refused_envelope(row), tuple(headers))
        snapshot = snapshot or await self._snapshot(caller, row)
        return json_answer(200, envelopes.job_envelope(snapshot.job, snapshot.variations), tuple(headers))

    async def job_events(self, request: Request, caller: Caller) -> Response:
        """Server-sent events of the job's versions, from Last-Event-ID on; the stream ends after the terminal one."""
        job_id = parameters.path_id("job", "jobId", request.path_params["jobId"])
        row, accepted = await self._lookup.job(caller.key.org_id, job_id)
        seen = last_seen(request.headers.get("last-event-id"))
        if accepted:
            first = await self._snapshot(caller, row)
            stream = job_events(self._watch, caller.key.org_id, job_id, first, seen)
        else:
            stream = refusal_events(row, seen)
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return self._streams.response(caller.key.key_id, stream, headers)

    async def list_jobs(self, request: Request, caller: Caller) -> Answer:
        """Accepted jobs, newest first."""
        query = request.query_params
        status = parameters.choice(query, "status", ("running", "completed", "failed", "canceled"))
        parameters.choice(query, "kind", (envelopes.KIND,))
        project = query.get("projectId")
        limit = parameters.limit(query)
        rows = await self._reads.jobs(
            caller.key.org_id,
            status=status,
            project_id=None if project is None else parameters.path_id("proj", "projectId", project),
            before=parameters.page_cursor(query),
            limit=limit + 1,
        )
        shown = rows[:limit]
        variations = await self._reads.variations(
            caller.key.org_id, [r["job_id"] for r in shown if r["status"] in envelopes.TERMINAL]
        )
        items = [envelopes.job_envelope(row, variations.get(row["job_id"])) for row in shown]
        return _page(items, shown, more=len(rows) > limit)

    async def content(self, request: Request, caller: Caller) -> Answer:
        """A container with all its variations."""
        row = await self._container(request, caller)
        variations = await self._reads.variations(caller.key.org_id, [row["job_id"]])
        return json_answer(200, envelopes.content(row, variations.get(row["job_id"], [])))

    async def progress(self, request: Request, caller: Caller) -> Answer:
        """How far a container is."""
        row = await self._container(request, caller)
        ended = row["status"] in envelopes.TERMINAL
        rendering = await self._reads.rendering(caller.key.org_id, row["job_id"]) if ended else None
        return json_answer(200, envelopes.progress(row, now_ms=time.time_ns() // 1_000_000, rendering=rendering))

    async def project_content(self, request: Request, caller: Caller) -> Answer:
        """The containers of a project, newest first."""
        project_id = parameters.path_id("proj", "projectId", request.path_params["projectId"])
        limit = parameters.limit(request.query_params)
        before = parameters.page_cursor(request.query_params)
        if not await self._reads.project_exists(caller.key.org_id, project_id):
            raise ApiError(ErrorCode.NOT_FOUND, "Project not found.")
        rows = await self._reads.jobs(
            caller.key.org_id, status=None, project_id=project_id, before=before, limit=limit + 1
        )
        shown = rows[:limit]
        return _page([envelopes.content_summary(row) for row in shown], shown, more=len(rows) > limit)

    async def top_performers(self, request: Request, caller: Caller) -> Answer:
        """Tracked posts ranked by a metric."""
        project_id = parameters.path_id("proj", "projectId", request.path_params["projectId"])
        query = request.query_params
        metric = parameters.choice(query, "metric", tuple(_METRICS), default="")
        window = parameters.choice(query, "window", _WINDOWS, default="30d") or "30d"
        limit, offset = parameters.limit(query), parameters.offset_cursor(query)
        platform = query.get("platform")
        if not await self._reads.project_exists(caller.key.org_id, project_id):
            raise ApiError(ErrorCode.NOT_FOUND, "Project not found.")
        rows = await self._reads.top_performers(
            caller.key.org_id,
            project_id,
            metric=_METRICS[metric or ""],
            window=window,
            platform=None if platform is None else platform.replace("\x00", ""),
            offset=offset,
            limit=limit + 1,
        )
        items = [
            {
                "rank": offset + position + 1,
                "sourcePlatformPostId": format_id("pp", row["post_id"]),
                "externalId": row["external_id"],
                "platform": row["platform"],
                "metric": metric,
                "metricValue": _number(row["value"]),
                "window": window,
            }
            for position, row in enumerate(rows[:limit])
        ]
        following = parameters.cursor_at(offset + limit) if len(rows) > limit else None
        return json_answer(200, {"items": items, "nextCursor": following})

    async def credits(self, _request: Request, caller: Caller) -> Answer:
        """The organisation's credits."""
        wallet = await self._reads.credits(caller.key.org_id)
        if wallet is None:
            raise ApiError(ErrorCode.NOT_FOUND, "Organization not found.")
        return json_answer(
            200,
            {
                "organizationId": format_id("org", caller.key.org_id),
                "balance": wallet["available"] + wallet["reserved"],
                "available": wallet["available"],
                "reservedCredits": wallet["reserved"],
                "runningJobs": wallet["running_jobs"],
                "maxRunningJobs": wallet["max_running_jobs"],
            },
        )

    async def whoami(self, _request: Request, caller: Caller) -> Answer:
        """The key's organisation, scopes and tier."""
        name = await self._reads.organization_name(caller.key.org_id)
        return json_answer(
            200,
            {
                "organizationId": format_id("org", caller.key.org_id),
                "organizationName": name,
                "keyId": caller.key.key_id,
                "scopes": sorted(caller.key.scopes),
                "tier": caller.key.tier,
            },
        )

    async def _container(self, request: Request, caller: Caller) -> dict[str, Any]:
        container_id = parameters.path_id("cnt", "containerId", request.path_params["containerId"])
        org_id = caller.key.org_id
        return await self._lookup.find(lambda: self._reads.job_of_container(org_id, container_id), what="Container")

    async def _snapshot(self, caller: Caller, row: dict[str, Any]) -> Snapshot:
        if row["status"] not in envelopes.TERMINAL:
            return Snapshot(row, [])
        variations = await self._reads.variations(caller.key.org_id, [row["job_id"]])
        return Snapshot(row, variations.get(row["job_id"], []))


def _page(items: list[Any], rows: Sequence[dict[str, Any]], *, more: bool) -> Answer:
    following = parameters.cursor_after(rows[-1]["accepted_at_ms"], rows[-1]["job_id"]) if more else None
    return json_answer(200, {"items": items, "nextCursor": following})


def _etag(row: dict[str, Any], *, accepted: bool) -> str:
    if not accepted:
        return f'"refused-{row["refused_at_ms"]}"'
    # The job is final when it has ended; its variations' assets are shown as they become ready.
    rendered = f"-{row['rendered']}" if row["rendered"] else ""
    return f'"{row["status"]}-{row["version"]}{rendered}"'


def _matches(if_none_match: str | None, etag: str) -> bool:
    if if_none_match is None:
        return False
    return any(tag.strip().removeprefix("W/") in (etag, "*") for tag in if_none_match.split(","))


def _number(value: float) -> int | float:
    # Counts are stored as whole numbers and shown as such.
    return int(value) if value.is_integer() else value
