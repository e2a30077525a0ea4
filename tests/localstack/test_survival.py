"""What a client has been promised is there again after `clonepost down` and `clonepost up`."""

import json
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from clonepost.demo.tour import demo_rows, demo_text, showcase
from tests.awaiting import eventually
from tests.localstack.test_stack import Stack

pytestmark = pytest.mark.slow


@pytest.fixture
def stack() -> Iterator[Stack]:
    """A stack with the generator that does what a caption says."""
    with tempfile.TemporaryDirectory(prefix="cp-") as folder:
        stack = Stack(Path(folder), {"CLONEPOST_GENERATOR": "scripted"})
        try:
            yield stack
        finally:
            stack.command("down").wait()


class Partner:
    """An HTTP client of the stack, as long as the stack has these addresses."""

    def __init__(self, stack: Stack, api_key: str) -> None:
        self._stack = stack
        self._headers = {"X-Api-Key": api_key}

    def __call__(self, method: str, path: str, **request: Any) -> httpx.Response:
        state = self._stack.home.read()
        assert state is not None
        headers = {**self._headers, **request.pop("headers", {})}
        return httpx.request(
            method, state.addresses["http"] + path, headers=headers, timeout=60, trust_env=False, **request
        )

    def clone(self, container: uuid.UUID, body: dict[str, Any]) -> httpx.Response:
        answer = self("POST", f"/v1/content/{container}/clone-from-post", json=body)
        assert answer.status_code == 202, answer.text
        return answer

    def ended(self, job: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            envelope: dict[str, Any] = self("GET", f"/v1/jobs/{job}", headers={"Prefer": "wait=5"}).json()
            return envelope if envelope["status"] != "running" else None

        return eventually(look, what=f"job {job} ends")


def test_jobs_survive_down_and_up(stack: Stack) -> None:
    stack.succeeds("up", "--detach", "--no-demo")
    data = stack.folder / "reference.jsonl"
    data.write_text(demo_text(), "utf-8")
    stack.succeeds("reference", "import", str(data))
    project, source = showcase(demo_rows())
    organization = project["organizationId"]
    made = json.loads(
        stack.succeeds(
            *("keys", "create", "--organization", organization, "--scope", "*", "--tier", "partner", "--json")
        )
    )
    partner = Partner(stack, made["apiKey"])
    eventually(lambda: partner("GET", "/v1/whoami").status_code == 200, what="the API takes the new key")
    body = {"projectId": project["id"], "sourcePlatformPostId": source["id"], "variations": 2}
    slow = {**body, "overrides": {"caption": "@@generator delay=15s"}}

    first, container = uuid.uuid4(), uuid.uuid4()
    accepted = partner.clone(first, body)
    job = accepted.json()["jobId"]
    partner.ended(job)
    kept = ("/v1/jobs/" + job, f"/v1/content/{first}", f"/v1/content/{first}/progress")
    eventually(lambda: partner("GET", kept[-1]).json()["stage"] == "finalizing", what="its assets are made")
    before = [partner("GET", path).content for path in kept]
    ledger = ("credits", "ledger", "--organization", organization, "--json")
    entries = json.loads(stack.succeeds(*ledger))
    running = partner.clone(container, slow)
    later = running.json()["jobId"]
    with psycopg.connect(stack.status()["addresses"]["postgres"], autocommit=True) as connection:
        leased = "SELECT count(*) FROM variations WHERE state = 'leased'"
        eventually(lambda: connection.execute(leased).fetchone() == (2,), what="it is being made")
    assert partner("GET", f"/v1/jobs/{later}").json()["status"] == "running"

    stack.succeeds("down")
    stack.succeeds("up", "--detach", "--no-demo")

    assert [partner("GET", path).content for path in kept] == before
    again = json.loads(stack.succeeds(*ledger))
    assert [entry for entry in again if entry in entries] == entries
    for replay, answer in ((partner.clone(first, body), accepted), (partner.clone(container, slow), running)):
        assert replay.content == answer.content
        assert replay.headers["idempotent-replayed"] == "true"
    assert partner.ended(later)["status"] == "completed"
    assert partner("GET", "/v1/credits").json()["reservedCredits"] == 0
    assert len(partner("GET", "/v1/jobs").json()["items"]) == 2
