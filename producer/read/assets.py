"""Downloads of rendered files: whole or in ranges, for the organisation that they were made for."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any, Final

import structlog
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from producer.errors import ApiError, malformed, unavailable
from producer.read import parameters
from producer.read.lookup import Lookup
from producer.read.ranges import NotSatisfiable, wanted
from producer.routing import Caller, Gate, keyed
from schemas.errors import ErrorCode
from schemas.ids import JobId, variation_id
from storage.asset_store import AssetMissing, AssetStore, attempt_prefix
from storage.reads import Reads
from storage.variations import Lease

_log = structlog.get_logger(__name__)

_PIECE_BYTES: Final = 256 * 1024


class AssetRoutes:
    """Serves what GET content links to."""

    def __init__(self, reads: Reads, lookup: Lookup, store: AssetStore | None) -> None:
        """`store` None: this process sees no files, and says so."""
        self._reads = reads
        self._lookup = lookup
        self._store = store

    def routes(self, gate: Gate) -> list[Route]:
        """The one route, behind the gate."""
        endpoint = keyed(gate, self.asset, scope="content:read", endpoint_class="read-light")
        path = "/v1/content/{containerId}/variations/{variationId}/assets/{name}"
        return [Route(path, endpoint, methods=["GET"])]

    async def asset(self, request: Request, caller: Caller) -> Response:
        """One file, with ETag, If-None-Match, Range and If-Range."""
        asset, key = await self._find(request, caller)
        etag, size = f'"{asset["sha256"][:32]}"', int(asset["bytes"])
        headers = {
            "etag": etag,
            "accept-ranges": "bytes",
            "cache-control": "private, max-age=3600",
            "content-disposition": f'inline; filename="{asset["name"]}"',
            "x-content-type-options": "nosniff",
        }
        known = request.headers.get("if-none-match", "")
        if any(tag.strip().removeprefix("W/") in (etag, "*") for tag in known.split(",")):
            return Response(status_code=304, headers=headers)
        asked = request.headers.get("range")
        if request.headers.get("if-range", etag) != etag:
            asked = None
        try:
            part = wanted(asked, size)
        except NotSatisfiable as error:
            refused = malformed(f"The range begins behind the file's {size} bytes.", status=416)
            refused.headers = ((b"content-range", b"bytes */%d" % size),)
            raise refused from error
        start, end = part or (0, size)
        if part is not None:
            headers["content-range"] = f"bytes {start}-{end - 1}/{size}"
        headers["content-length"] = str(end - start)
        pieces = self._pieces(key, start, end)
        # Read before the answer begins, so that a file that is gone is an error and no broken download.
        first = await anext(pieces, b"")
        body = _then(first, pieces)
        return StreamingResponse(body, 200 if part is None else 206, headers, media_type=asset["contentType"])

    async def _find(self, request: Request, caller: Caller) -> tuple[dict[str, Any], str]:
        """The asset as its row describes it, and its key. Raises ApiError."""
        container_id = parameters.path_id("cnt", "containerId", request.path_params["containerId"])
        wanted_id = parameters.path_id("var", "variationId", request.path_params["variationId"])
        org_id = caller.key.org_id
        job = await self._lookup.find(lambda: self._reads.job_of_container(org_id, container_id), what="Container")
        index = _index(job["job_id"], job["variations"], wanted_id)
        row = None if index is None else await self._reads.rendered(org_id, job["job_id"], index)
        assets = row["assets"] if row is not None else []
        for asset in assets:
            if row is not None and index is not None and asset["name"] == request.path_params["name"]:
                return asset, f"{attempt_prefix(Lease(job['job_id'], index, row['attempt']))}/{asset['name']}"
        raise ApiError(ErrorCode.NOT_FOUND, "Asset not found.")

    async def _pieces(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        while start < end:
            try:
                if self._store is None:
                    raise AssetMissing("no folder: set CLONEPOST_ASSETS_FOLDER")
                piece = await asyncio.to_thread(self._store.read, key, start, min(_PIECE_BYTES, end - start))
            except (AssetMissing, OSError) as error:
                _log.error("asset_missing", key=key, reason=str(error))
                raise unavailable("The file cannot be read now — try again.") from error
            if not piece:
                _log.error("asset_short", key=key)
                raise unavailable("The file cannot be read now — try again.")
            yield piece
            start += len(piece)


def _index(job_id: uuid.UUID, variations: int, wanted_id: uuid.UUID) -> int | None:
    return next((index for index in range(variations) if variation_id(JobId(job_id), index) == wanted_id), None)


async def _then(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece
