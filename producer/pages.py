"""The open pages: liveness, readiness, metrics, and the contracts for people and machines."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from producer.openapi import document
from schemas.asyncapi import document as asyncapi_document

Check = Callable[[], Awaitable[str | None]]
"""None when the dependency serves, else what is missing."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """The dependencies of this process by name. Kafka decides readiness: POST needs it alone."""

    checks: dict[str, Check]

    async def missing(self) -> dict[str, str]:
        """What does not serve, and why."""
        found = {}
        for name, check in self.checks.items():
            problem = await check()
            if problem is not None:
                found[name] = problem
        return found


def open_routes(readiness: Readiness) -> list[Route]:
    """Routes that need no key."""
    openapi = json.dumps(document()).encode()
    asyncapi = json.dumps(asyncapi_document()).encode()

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> Response:
        missing = await readiness.missing()
        body: dict[str, Any] = {"status": "unavailable" if missing else "ready", "missing": missing}
        return JSONResponse(body, 503 if missing else 200)

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
