"""The open pages: liveness, readiness, metrics, and the contracts for people and machines."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from producer.errors import Answer, ApiError, json_answer, unavailable
from producer.openapi import document
from producer.routing import respond
from schemas.asyncapi import document as asyncapi_document

Check = Callable[[], Awaitable[str | None]]
"""None when the dependency serves, else what is missing."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """The dependencies of this process by name.

    Those in `tolerated` are named when they are missing, and the process stays ready: taking every API process out of
    service because Postgres is away would stop ingestion, which goes on without it.
    """

    checks: Mapping[str, Check]
    tolerated: frozenset[str] = frozenset()

    async def missing(self) -> dict[str, str]:
        """What does not serve, and why. All are asked at once."""
        problems = await asyncio.gather(*(check() for check in self.checks.values()))
        return {name: problem for name, problem in zip(self.checks, problems, strict=True) if problem is not None}

    async def answer(self, request_id: str) -> Answer:
        """200, or 503 with the error envelope; either names what is missing."""
        missing = await self.missing()
        if missing.keys() - self.tolerated:
            return not_ready(missing).answer(request_id)
        return json_answer(200, {"status": "ready", "missing": missing})


def not_ready(missing: Mapping[str, str]) -> ApiError:
    """UNAVAILABLE with what is missing by name in `details.missing`."""
    return unavailable(f"Not ready: {'; '.join(missing.values())}.", details={"missing": dict(missing)})


def open_routes(readiness: Readiness) -> list[Route]:
    """Routes that need no key."""
    openapi = json.dumps(document()).encode()
    asyncapi = json.dumps(asyncapi_document()).encode()

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(request: Request) -> Response:
        return respond(await readiness.answer(request.scope["request_id"]))

    async def metrics(_request: Request) -> Response:
        return Response(await run_in_threadpool(generate_latest), media_type=CONTENT_TYPE_LATEST)

    async def openapi_json(_request: Request) -> Response:
        return Response(openapi, media_type="application/json")

    async def asyncapi_json(_request: Request) -> Response:
        return Response(asyncapi, media_type="application/json")

    async def docs(_request: Request) -> Response:
        return HTMLResponse(docs_page())

    return [
        Route("/healthz", healthz, methods=["GET"]),
        Route("/readyz", readyz, methods=["GET"]),
        Route("/metrics", metrics, methods=["GET"]),
        Route("/openapi.json", openapi_json, methods=["GET"]),
        Route("/asyncapi.json", asyncapi_json, methods=["GET"]),
        Route("/docs", docs, methods=["GET"]),
    ]


def docs_page() -> str:
    """A self-contained page: every operation with its answers, and the topics. No script, nothing from elsewhere."""
    spec, events = document(), asyncapi_document()
    rows = []
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            answers = ", ".join(sorted(operation["responses"]))
            call = f"<code>{method.upper()} {path}</code>"
            rows.append(f"<tr><td>{call}</td><td>{operation['summary']}</td><td>{answers}</td></tr>")
    topics = "".join(
        f"<tr><td><code>{channel['address']}</code></td><td>{channel['description']}</td>"
        f"<td>{', '.join(channel['messages'])}</td></tr>"
        for channel in events["channels"].values()
    )
    style = (
        "body{font:16px/1.5 system-ui;max-width:70rem;margin:2rem auto;padding:0 1rem}"
        "table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ccc;padding:.4rem;text-align:left;"
        "vertical-align:top}"
    )
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>clonepost</title><style>{style}</style>"
        f"<h1>clonepost</h1><p>{spec['info']['description']}</p>"
        "<p>Machine-readable: <a href=/openapi.json>/openapi.json</a>, <a href=/asyncapi.json>/asyncapi.json</a>.</p>"
        f"<h2>HTTP</h2><table><tr><th>call<th>what it does<th>answers</tr>{''.join(rows)}</table>"
        f"<h2>Kafka</h2><table><tr><th>topic<th>what it carries<th>records</tr>{topics}</table></html>"
    )
