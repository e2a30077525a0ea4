"""An HTTP partner that repeats what it got no answer to, and writes every attempt down."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import httpx

from bench.checker import identity
from bench.checker.history import Canceled, CreditsRead, JobRead, Posted, Recorder, now_seconds
from bench.load.plan import Cancel, Clone
from bench.load.tenants import Tenant

_TIMEOUT_SECONDS: Final = 20.0
_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 1.0
_TERMINAL: Final = frozenset({"completed", "failed", "canceled"})
_TRY_AGAIN: Final = frozenset({429, 503})


class GaveUp(RuntimeError):
    """The load was stopped before this request had its answer."""


class Partner:
    """Sends requests for all tenants, to the addresses in turn. Thread-safe."""

    def __init__(
        self, urls: Sequence[str], tenants: Sequence[Tenant], recorder: Recorder, stopping: threading.Event
    ) -> None:
        self._keys = {tenant.org: tenant.api_key for tenant in tenants}
        self._recorder = recorder
        self._stopping = stopping
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
        self._clients = [
            httpx.Client(base_url=url, timeout=_TIMEOUT_SECONDS, limits=limits, trust_env=False) for url in urls
        ]
        self._turn = 0

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients:
            client.close()

    def clone(self, operation: Clone) -> int:
        """POST until there is an answer other than 503 or 429; returns its status. Raises GaveUp."""
        headers = {} if operation.idempotency_key is None else {"Idempotency-Key": operation.idempotency_key}
        path = f"/v1/content/{operation.container}/clone-from-post"
        pauses = _pauses()
        while True:
            started = now_seconds()
            answer = self._send("POST", path, operation.org, headers, json=dict(operation.fields))
            self._recorder.add(
                Posted(
                    org=operation.org,
                    container=operation.container,
                    job=operation.job,
                    started_at=started,
                    ended_at=now_seconds(),
                    status=None if answer is None else answer.status_code,
                    body="" if answer is None else _text(answer),
                    request_id=None if answer is None else answer.headers.get("x-request-id"),
                    location=None if answer is None else answer.headers.get("location"),
                    replayed=answer is not None and answer.headers.get("idempotent-replayed") == "true",
                    idempotency_key=operation.idempotency_key,
                )
            )
            if answer is not None and answer.status_code not in _TRY_AGAIN:
                return answer.status_code
            self._pause(pauses)

    def cancel(self, operation: Cancel) -> int:
        """POST the cancel until there is an answer other than 503 or 429; returns its status. Raises GaveUp."""
        path = f"/v1/jobs/{identity.shown('job', operation.job)}/cancel"
        pauses = _pauses()
        while True:
            started = now_seconds()
            answer = self._send("POST", path, operation.org, {})
            self._recorder.add(
                Canceled(
                    org=operation.org,
                    job=operation.job,
                    started_at=started,
                    ended_at=now_seconds(),
                    status=None if answer is None else answer.status_code,
                    body="" if answer is None else _text(answer),
                    request_id=None if answer is None else answer.headers.get("x-request-id"),
                )
            )
            if answer is not None and answer.status_code not in _TRY_AGAIN:
                return answer.status_code
            self._pause(pauses)

    def read(self, org: str, job: str, *, wait_seconds: int = 0, keep_body: bool = True) -> JobRead:
        """GET a job once, and write down what it showed; with `wait_seconds` the answer waits for a change."""
        headers = {"Prefer": f"wait={wait_seconds}"} if wait_seconds else {}
        started = now_seconds()
        answer = self._send("GET", f"/v1/jobs/{identity.shown('job', job)}", org, headers)
        shown: Mapping[str, Any] = answer.json() if answer is not None and answer.status_code == 200 else {}
        seen = JobRead(
            org=org,
            job=job,
            started_at=started,
            ended_at=now_seconds(),
            status=None if answer is None else answer.status_code,
            etag=None if answer is None else answer.headers.get("etag"),
            job_status=shown.get("status"),
            stage=shown.get("stage"),
            progress=shown.get("progress"),
            body=_text(answer) if answer is not None and keep_body else "",
        )
        self._recorder.add(seen)
        return seen

    def follow(self, org: str, job: str, *, keep_body: bool = True) -> JobRead:
        """GET a job until it has ended or is certainly not there. Raises GaveUp."""
        pauses = _pauses()
        while True:
            seen = self.read(org, job, wait_seconds=5, keep_body=keep_body)
            if seen.job_status in _TERMINAL or seen.status == 404:
                return seen
            if seen.status != 200:
                self._pause(pauses)

    def credits(self, org: str) -> None:
        """GET the organisation's credits once."""
        answer = self._send("GET", "/v1/credits", org, {})
        if answer is not None and answer.status_code == 200:
            shown = answer.json()
            self._recorder.add(
                CreditsRead(
                    org=org, balance=shown["balance"], available=shown["available"], reserved=shown["reservedCredits"]
                )
            )

    def _send(self, method: str, path: str, org: str, headers: Mapping[str, str], **body: Any) -> httpx.Response | None:
        self._turn += 1
        client = self._clients[self._turn % len(self._clients)]
        try:
            return client.request(method, path, headers={"X-Api-Key": self._keys[org], **headers}, **body)
        except httpx.HTTPError:
            # Sent or not, answered or not: nobody knows, and repeating is safe.
            return None

    def _pause(self, pauses: Iterator[float]) -> None:
        if self._stopping.wait(next(pauses)):
            raise GaveUp


def _pauses() -> Iterator[float]:
    """Longer each time: a hundred partners that hammer on a system that is down would take the machine from it."""
    seconds = _FIRST_PAUSE_SECONDS
    while True:
        yield seconds
        seconds = min(2 * seconds, _LONGEST_PAUSE_SECONDS)


def _text(answer: httpx.Response) -> str:
    return answer.content.decode("utf-8", "surrogateescape")
