"""Sends hostile requests to a real API and holds each answer against the document: status, body and media type."""

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import jsonschema_rs
import psutil

from bench.checker import identity
from bench.fuzz.http_requests import Known, Request, hostile_requests
from bench.fuzz.target import fuzz_stack
from bench.load.tenants import POSTS, Tenant
from producer.openapi import document

_CONNECTIONS: Final = 24
_ANSWER_SECONDS: Final = 30.0
_MALFORMED_SECONDS: Final = 0.3
_SAMPLE_EVERY: Final = 2_000
_JOBS: Final = 12
_MOST_FINDINGS: Final = 20
_GROWTH: Final = 1.25
_SLACK_BYTES: Final = 32 * 1024 * 1024
_NO_HTTP: Final = b"The request is not valid HTTP"
_NO_BODY: Final = frozenset({204, 304})


@dataclass(slots=True)
class Answers:
    """What came back. `memory` has the API's bytes, every so many requests."""

    requests: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    memory: list[int] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    seconds: float = 0.0
    restarted: bool = False

    @property
    def ok(self) -> bool:
        """Nothing was found, the process is the one that it was, and its memory is flat after it has warmed up."""
        return not self.findings and not self.restarted and self.is_flat

    @property
    def is_flat(self) -> bool:
        """The last quarter against the second: the first one is warming up."""
        quarter = len(self.memory) // 4
        if not quarter:
            return True
        before, after = max(self.memory[quarter : 2 * quarter]), max(self.memory[-quarter:])
        return after <= before * _GROWTH + _SLACK_BYTES

    def find(self, what: str) -> None:
        """Keep the first few findings."""
        if len(self.findings) < _MOST_FINDINGS:
            self.findings.append(what)


def ask_all(requests: int, *, seed: int, say: Callable[[str], None]) -> Answers:
    """Start a stack, send the requests over a few connections, hold every answer against the document."""
    with fuzz_stack(seed, say) as target:
        api = target.stack.processes["api"]
        return ask(target.stack.http, target.tenants, api, requests, seed=seed, say=say)


def ask(
    url: str, tenants: Sequence[Tenant], api: psutil.Process, requests: int, *, seed: int, say: Callable[[str], None]
) -> Answers:
    """Send the requests to the API at the address, which is that process."""
    known = _known(url, tenants)
    answers = Answers()
    judge = Judge(answers)
    source = itertools.islice(hostile_requests(seed, judge.document, known), requests)
    started = time.monotonic()
    asyncio.run(_send(url, source, judge, api, say))
    answers.seconds = time.monotonic() - started
    answers.restarted = not api.is_running()
    if httpx.get(f"{url}/readyz", trust_env=False).status_code != httpx.codes.OK:
        answers.find("the API is not ready afterwards")
    return answers


class Judge:
    """Holds answers against the document."""

    def __init__(self, answers: Answers) -> None:
        self.document: dict[str, Any] = json.loads(json.dumps(document()))
        self.answers = answers
        self._validators: dict[tuple[str, str, str], Any] = {}
        self._envelope = self._validator({"$ref": "#/components/schemas/ErrorEnvelope"})

    def hear(self, request: Request, status: int | None, headers: Mapping[str, str], body: bytes | None) -> None:
        """One answer; None for a connection that was closed without one, and for a body that was not read."""
        answers = self.answers
        answers.requests += 1
        answers.kinds[request.how] += 1
        answers.statuses["closed" if status is None else str(status)] += 1
        problem = self._problem(request, status, headers, body)
        if problem is not None:
            answers.find(
                f"request {answers.requests} ({request.how}): {problem}: {request.data[:300]!r} -> {body!r:.300}"
            )

    def _problem(
        self, request: Request, status: int | None, headers: Mapping[str, str], body: bytes | None
    ) -> str | None:
        if request.how == "malformed HTTP":
            return f"{status}" if status is not None and status >= 500 and status != 503 else None
        if status is None:
            return "no answer"
        if status >= 500 and status != 503:
            return f"a server's error {status}"
        media_type = headers.get("content-type", "").partition(";")[0]
        operations = self.document["paths"].get(request.template, {})
        # A HEAD is answered as its GET, without the body.
        responses = operations.get("get" if request.method == "HEAD" else request.method.lower(), {}).get("responses")
        if status == 400 and _NO_HTTP in (body or b""):
            # Before any route has a say: an address or headers that are too long, or a method in lower case.
            return self._invalid(self._envelope, body)
        if responses is None or str(status) not in responses:
            if status not in (404, 405) and not (responses is None and status in (400, 401)):
                return f"{status} is not documented"
            return self._invalid(self._envelope, body) if request.method != "HEAD" else None
        content = responses[str(status)].get("content", {})
        if status in _NO_BODY or not content or body is None or request.method == "HEAD":
            return None
        if media_type not in content:
            return f"{media_type} is not documented"
        if media_type != "application/json":
            return None
        place = (request.template, request.method, str(status))
        if place not in self._validators:
            self._validators[place] = self._validator(content[media_type]["schema"])
        return self._invalid(self._validators[place], body)

    def _validator(self, schema: Mapping[str, Any]) -> Any:
        return jsonschema_rs.validator_for({**schema, "components": self.document["components"]})

    def _invalid(self, validator: Any, body: bytes | None) -> str | None:
        try:
            validator.validate(json.loads(body or b""))
        except (ValueError, jsonschema_rs.ValidationError) as error:
            return f"the body is not as documented: {str(error)[:200]}"
        return None


def _known(url: str, tenants: Sequence[Tenant]) -> Known:
    """Make a few jobs, so that there is something to find."""
    rich = [tenant for tenant in tenants if not tenant.poor]
    bodies = [
        {"projectId": project, "sourcePlatformPostId": post, "variations": 1}
        for tenant in rich
        for project in tenant.projects
        for post in POSTS
    ]
    containers, jobs = [], []
    with httpx.Client(base_url=url, trust_env=False, timeout=_ANSWER_SECONDS) as client:
        for number in range(_JOBS):
            tenant = rich[number % len(rich)]
            container = identity.shown("cnt", f"00000000-0000-4000-8000-{number:012d}")
            fields = {"projectId": tenant.projects[0], "sourcePlatformPostId": POSTS[0]}
            path = f"/v1/content/{container}/clone-from-post"
            while (answer := client.post(path, json=fields, headers={"X-Api-Key": tenant.api_key})).status_code == 401:
                # Keys are read every two seconds.
                time.sleep(0.2)
            jobs.append(answer.json()["jobId"])
            containers.append(container)
    ids = {"containerId": containers, "jobId": jobs, "projectId": [project for t in rich for project in t.projects]}
    return Known([tenant.api_key for tenant in tenants], ids, bodies)


async def _send(
    url: str, requests: Iterator[Request], judge: Judge, api: psutil.Process, say: Callable[[str], None]
) -> None:
    port = httpx.URL(url).port or 80

    async def one_after_another() -> None:
        connection = _Connection(port)
        for request in requests:
            judge.hear(request, *await connection.ask(request))
            if judge.answers.requests % _SAMPLE_EVERY == 0:
                with suppress(psutil.Error):
                    judge.answers.memory.append(api.memory_info().rss)
            if judge.answers.requests % (10 * _SAMPLE_EVERY) == 0:
                say(f"{judge.answers.requests} requests, {len(judge.answers.findings)} findings")
        connection.close()

    await asyncio.gather(*(one_after_another() for _ in range(_CONNECTIONS)))


class _Connection:
    """One connection that is opened again when it was closed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: Request) -> tuple[int | None, Mapping[str, str], bytes | None]:
        """Status, headers and body; a connection that had been closed meanwhile is opened anew, once."""
        malformed = request.how == "malformed HTTP"
        for fresh in (False, True):
            if self._streams is None or malformed:
                self.close()
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
                fresh = True
            reader, writer = self._streams
            try:
                writer.write(request.data)
                await writer.drain()
                async with asyncio.timeout(_MALFORMED_SECONDS if malformed else _ANSWER_SECONDS):
                    status, headers = await _head(reader)
                    body = None if request.streams and status == 200 else await _body(reader, request, status, headers)
            except (OSError, EOFError, TimeoutError, ValueError):
                self.close()
                if fresh:
                    return None, {}, None
                continue
            if malformed or body is None or headers.get("connection", "").lower() == "close":
                self.close()
            return status, headers, body
        raise AssertionError("the second time it is fresh")

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    while True:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        if status >= 200:
            pairs = (line.partition(":") for line in lines[1:] if line)
            return status, {name.strip().lower(): value.strip() for name, _, value in pairs}


async def _body(reader: asyncio.StreamReader, request: Request, status: int, headers: Mapping[str, str]) -> bytes:
    if request.method == "HEAD" or status in _NO_BODY:
        return b""
    if headers.get("transfer-encoding") == "chunked":
        pieces = []
        while size := int(await reader.readuntil(b"\r\n"), 16):
            pieces.append((await reader.readexactly(size + 2))[:-2])
        await reader.readuntil(b"\r\n")
        return b"".join(pieces)
    return await reader.readexactly(int(headers.get("content-length", "0")))
