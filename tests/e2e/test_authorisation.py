"""Who may do what: every route by every kind of key, each cell with the exact status that the contract gives it."""

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import pytest

from producer import openapi
from schemas.ids import JobId, format_id, parse_id, variation_id
from storage import keys
from storage.asset_store import LocalFolder, attempt_prefix
from storage.keys import SCOPES
from storage.variations import Lease
from tests.awaiting import eventually
from tests.e2e.pipeline import Pipeline, Tenant

_SCOPES: Final = tuple(scope for scope in SCOPES if scope != "*")


@dataclass(frozen=True, slots=True)
class Call:
    """One route of the contract, by its path there. `found` is the answer to the owner; a stranger gets `hidden`."""

    method: str
    path: str
    scope: str | None
    found: int
    hidden: int = 404
    query: str = ""


CALLS: Final = (
    Call("POST", "/v1/content/{containerId}/clone-from-post", "content:write", 202),
    Call("GET", "/v1/jobs/{jobId}", "jobs:read", 200),
    Call("GET", "/v1/jobs", "jobs:read", 200, hidden=200),
    Call("GET", "/v1/jobs/{jobId}/events", "jobs:read", 200),
    Call("POST", "/v1/jobs/{jobId}/cancel", "jobs:cancel", 200),
    Call("GET", "/v1/content/{containerId}", "content:read", 200),
    Call("GET", "/v1/content/{containerId}/progress", "content:read", 200),
    Call("GET", "/v1/content/{containerId}/variations/{variationId}/assets/{name}", "content:read", 200),
    Call("GET", "/v1/projects/{projectId}/content", "content:read", 200),
    Call("GET", "/v1/projects/{projectId}/top-performers", "metrics:read", 200, query="metric=views"),
    Call("GET", "/v1/credits", None, 200, hidden=200),
    Call("GET", "/v1/whoami", None, 200, hidden=200),
)


@dataclass(slots=True)
class Gatehouse:
    """An organisation with a finished job, and every kind of key; and another organisation that may do everything."""

    pipeline: Pipeline
    owner: Tenant
    names: dict[str, str]
    presented: dict[str, str | None]

    def ask(self, call: Call, key: str) -> httpx.Response:
        """The answer to that call with that key; a stream is read to its end."""
        clones = call.path.endswith("/clone-from-post")
        # A clone is always of a fresh container; everything else asks about the one that there is.
        path = call.path.format(**(self.names | ({"containerId": str(uuid.uuid4())} if clones else {})))
        body = self.owner.body() if clones else None
        presented = self.presented[key]
        headers = {} if presented is None else {"X-Api-Key": presented}
        with httpx.Client(base_url=self.pipeline.address, timeout=60, trust_env=False) as client:
            return client.request(call.method, f"{path}?{call.query}", json=body, headers=headers)


@pytest.fixture(scope="module")
def gatehouse(pipeline: Pipeline) -> Gatehouse:
    owner, other = pipeline.tenant(), pipeline.tenant()
    container = uuid.uuid4()
    with pipeline.client(owner) as client:
        job = client.post(f"/v1/content/{container}/clone-from-post", json=owner.body()).json()["jobId"]
        pipeline.ended(client, job)
    presented: dict[str, str | None] = {"none": None, "*": owner.api_key, "other": other.api_key}
    presented["nonsense"] = "lp_test_nonsense"
    presented["wrong secret"] = owner.api_key[:-4] + ("AAAA" if not owner.api_key.endswith("AAAA") else "BBBB")
    with pipeline.database.transaction() as connection:
        for scope in _SCOPES:
            _, presented[scope] = keys.create(
                connection, owner.org_id, scopes=[scope], tier="partner", environment="test"
            )
        key_id, presented["revoked"] = keys.create(
            connection, owner.org_id, scopes=["*"], tier="partner", environment="test"
        )
    _await(pipeline, presented["revoked"], 200)
    with pipeline.database.transaction() as connection:
        assert keys.revoke(connection, key_id)
    _await(pipeline, presented["revoked"], 401)
    ids = {"jobId": job, "containerId": format_id("cnt", container), "projectId": format_id("proj", owner.project_id)}
    ids |= {"variationId": format_id("var", variation_id(JobId(parse_id("job", job)), 0)), "name": "captions.vtt"}
    _rendered(pipeline, owner, parse_id("job", job))
    return Gatehouse(pipeline, owner, ids, presented)


def _rendered(pipeline: Pipeline, owner: Tenant, job_id: uuid.UUID) -> None:
    """One asset of the job, as the render role leaves it."""
    asset = {"name": "captions.vtt", "kind": "captions", "contentType": "text/vtt", "bytes": 6, "sha256": "0" * 64}
    LocalFolder(pipeline.folder / "assets").put(f"{attempt_prefix(Lease(job_id, 0, 1))}/captions.vtt", b"WEBVTT")
    with pipeline.database.transaction() as connection:
        connection.execute(
            "INSERT INTO renders (job_id, variation_index, org_id, state, attempt, finished_at, assets)"
            " VALUES (%s, 0, %s, 'ready', 1, clock_timestamp(), %s)",
            (job_id, owner.org_id, json.dumps([asset])),
        )


def _await(pipeline: Pipeline, key: str | None, status: int) -> None:
    def answered() -> bool:
        return httpx.get(f"{pipeline.address}/v1/whoami", headers={"X-Api-Key": key or ""}).status_code == status

    eventually(answered, what=f"the API answers {status} to the key")


def expected(call: Call, key: str) -> int:
    """The contract's answer: who one is comes first, then what one may, then what there is."""
    if key in ("none", "nonsense", "wrong secret", "revoked"):
        return 401
    if key == "other":
        return call.hidden
    return call.found if call.scope is None or key in ("*", call.scope) else 403


@pytest.mark.parametrize("key", ["none", "nonsense", "wrong secret", "revoked", "*", "other", *_SCOPES])
@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.method} {call.path}")
def test_each_route_answers_each_kind_of_key_as_the_contract_says(gatehouse: Gatehouse, call: Call, key: str) -> None:
    answer = gatehouse.ask(call, key)
    assert answer.status_code == expected(call, key)
    code = {401: "UNAUTHENTICATED", 403: "FORBIDDEN_SCOPE", 404: "NOT_FOUND"}.get(answer.status_code)
    if code is not None:
        assert answer.json()["error"]["code"] == code
    if key == "other":
        # Nothing of the owner's shows in what a stranger gets, lists included.
        ids = [gatehouse.names["jobId"], gatehouse.names["containerId"], format_id("org", gatehouse.owner.org_id)]
        assert not [name for name in ids if name in answer.text]


def test_the_matrix_has_every_keyed_route_of_the_document() -> None:
    documented = [
        (method.upper(), path)
        for path, operations in openapi.document()["paths"].items()
        if path.startswith("/v1/")
        for method in operations
    ]
    assert sorted(documented) == sorted((call.method, call.path) for call in CALLS)


def test_a_revoked_key_is_refused_by_every_process(pipeline: Pipeline, tenant: Tenant, tmp_path: Path) -> None:
    second = Pipeline(pipeline.settings, tmp_path)
    try:
        second.start("api")
        with pipeline.database.transaction() as connection:
            key_id, key = keys.create(connection, tenant.org_id, scopes=["*"], tier="partner", environment="test")
        for process in (pipeline, second):
            _await(process, key, 200)
        with pipeline.database.transaction() as connection:
            keys.revoke(connection, key_id)
        for process in (pipeline, second):
            _await(process, key, 401)
    finally:
        second.close()
