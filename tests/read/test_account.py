"""Credits, whoami, and what every route of the read side asks of a key."""

import uuid

import pytest

from schemas.http import Credits, WhoAmI
from schemas.ids import format_id
from tests.builders import Rows
from tests.read.conftest import Api

pytestmark = pytest.mark.anyio

SCOPES = {
    "/v1/jobs": "jobs:read",
    "/v1/jobs/{}": "jobs:read",
    "/v1/jobs/{}/events": "jobs:read",
    "/v1/content/{}": "content:read",
    "/v1/content/{}/progress": "content:read",
    "/v1/projects/{}/content": "content:read",
    "/v1/projects/{}/top-performers?metric=views": "metrics:read",
}
ANY = ("/v1/credits", "/v1/whoami")


async def test_credits_add_up(api: Api, rows: Rows) -> None:
    org_id = rows.organization(available=640)
    rows.execute("UPDATE wallets SET reserved = 360, running_jobs = 3 WHERE org_id = %s", org_id)
    rows.organization(available=1)
    shown = (await api.get("/v1/credits", rows.key(org_id))).json()
    Credits.model_validate(shown)
    assert shown == {
        "organizationId": format_id("org", org_id),
        "balance": 1_000,
        "available": 640,
        "reservedCredits": 360,
        "runningJobs": 3,
        "maxRunningJobs": 1_000,
    }


async def test_whoami_names_the_key_and_keeps_its_secret(api: Api, rows: Rows) -> None:
    org_id = rows.organization()
    key = rows.key(org_id, "jobs:read", "content:write", tier="pilot")
    answer = await api.get("/v1/whoami", key)
    WhoAmI.model_validate(answer.json())
    _, _, key_id, secret = key.split("_")
    assert answer.json() == {
        "organizationId": format_id("org", org_id),
        "organizationName": "Acme",
        "keyId": key_id,
        "scopes": ["content:write", "jobs:read"],
        "tier": "pilot",
    }
    assert secret not in answer.text


@pytest.mark.parametrize("path", SCOPES)
async def test_each_route_asks_for_its_scope(api: Api, rows: Rows, path: str) -> None:
    org_id, target = rows.organization(), path.format(uuid.uuid4())
    others = {*SCOPES.values(), "content:write", "jobs:cancel", "webhooks:write"} - {SCOPES[path]}
    refused = await api.get(target, rows.key(org_id, *others))
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "FORBIDDEN_SCOPE")
    for scope in (SCOPES[path], "*"):
        assert (await api.get(target, rows.key(org_id, scope))).status_code in (200, 404)


@pytest.mark.parametrize("path", ANY)
async def test_any_key_may_ask_for_credits_and_whoami(api: Api, rows: Rows, path: str) -> None:
    assert (await api.get(path, rows.key(rows.organization(), "webhooks:write"))).status_code == 200


@pytest.mark.parametrize("path", [*SCOPES, *ANY])
async def test_nobody_without_a_key_is_told_anything(api: Api, rows: Rows, path: str) -> None:
    await api.get("/v1/whoami", rows.key(rows.organization()))
    answer = await api.http.get(path.format(uuid.uuid4()))
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize("path", [*SCOPES, *ANY])
async def test_every_answer_has_its_request_id_and_limits(api: Api, rows: Rows, path: str) -> None:
    answer = await api.get(path.format(uuid.uuid4()), rows.key(rows.organization()))
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.headers["x-ratelimit-endpoint-class"] == "read-light"
    assert int(answer.headers["x-ratelimit-remaining"]) < int(answer.headers["x-ratelimit-limit"]) == 6_000
    assert "x-ratelimit-reset" in answer.headers
