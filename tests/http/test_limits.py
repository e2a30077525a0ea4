"""Who may ask, and how often."""

import uuid

import httpx
import psycopg
import pytest

from storage import keys
from tests.awaiting import eventually
from tests.e2e.pipeline import Pipeline, Tenant
from tests.http.answers import refused

SCOPED = [
    ("POST", "/v1/content/{}/clone-from-post", "content:write"),
    ("GET", "/v1/content/{}", "content:read"),
    ("GET", "/v1/content/{}/progress", "content:read"),
    ("GET", "/v1/projects/{}/content", "content:read"),
    ("GET", "/v1/projects/{}/top-performers", "metrics:read"),
    ("GET", "/v1/jobs", "jobs:read"),
    ("GET", "/v1/jobs/{}", "jobs:read"),
    ("GET", "/v1/jobs/{}/events", "jobs:read"),
    ("POST", "/v1/jobs/{}/cancel", "jobs:cancel"),
]
SCOPES = {scope for _, _, scope in SCOPED}
UNSCOPED = ["/v1/whoami", "/v1/credits"]


@pytest.fixture(scope="module")
def by_scope(service: Pipeline, tenant: Tenant) -> dict[str, str]:
    """A key for each scope alone, and one for all but it."""
    made = {}
    for scope in sorted(SCOPES):
        made[scope] = service.key(tenant, [scope])
        made[f"not {scope}"] = service.key(tenant, sorted(SCOPES - {scope}))
    return made


@pytest.mark.parametrize(
    ("method", "path"), [(method, path) for method, path, _ in SCOPED] + [("GET", p) for p in UNSCOPED]
)
def test_without_a_key_nothing_is_answered(stranger: httpx.Client, method: str, path: str) -> None:
    answer = stranger.request(method, path.format(uuid.uuid4()))
    refused(answer, 401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert not [name for name in answer.headers if name.startswith("x-ratelimit")]


@pytest.mark.parametrize(("method", "path", "scope"), SCOPED)
def test_a_key_does_what_its_scopes_name_and_no_more(
    stranger: httpx.Client, by_scope: dict[str, str], method: str, path: str, scope: str
) -> None:
    place = path.format(uuid.uuid4())
    error = refused(
        stranger.request(method, place, headers={"X-Api-Key": by_scope[f"not {scope}"]}), 403, "FORBIDDEN_SCOPE"
    )
    assert error["details"] == {"scope": scope}
    allowed = stranger.request(method, place, headers={"X-Api-Key": by_scope[scope]})
    assert allowed.status_code not in (401, 403)


@pytest.mark.parametrize("path", UNSCOPED)
def test_any_key_sees_whose_it_is(stranger: httpx.Client, by_scope: dict[str, str], path: str) -> None:
    assert stranger.get(path, headers={"X-Api-Key": by_scope["jobs:cancel"]}).status_code == 200


def test_bearer_is_the_fallback_and_x_api_key_counts(stranger: httpx.Client, tenant: Tenant) -> None:
    def status(**headers: str) -> int:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return stranger.get("/v1/whoami", headers=sent).status_code

    assert status(Authorization=f"Bearer {tenant.api_key}") == 200
    assert status(Authorization=f"bearer  {tenant.api_key}") == 200
    assert status(Authorization=f"Basic {tenant.api_key}") == 401
    assert status(Authorization=tenant.api_key) == 401
    assert status(X_Api_Key=tenant.api_key, Authorization="Bearer nonsense") == 200
    assert status(X_Api_Key="nonsense", Authorization=f"Bearer {tenant.api_key}") == 401
    assert status(X_Api_Key="", Authorization=f"Bearer {tenant.api_key}") == 401


def test_a_key_that_is_nearly_right_is_wrong(stranger: httpx.Client, tenant: Tenant) -> None:
    prefix, environment, key_id, secret = tenant.api_key.split("_")
    other = "0" if secret[-1] != "0" else "1"
    for key in (
        f"{prefix}_{environment}_{key_id}_{secret[:-1]}{other}",
        f"{prefix}_{environment}_{key_id}_{secret[:-1]}",
        f"{prefix}_{environment}_{key_id}_",
        f"{prefix}_{environment}_{key_id}",
        f"{prefix}_{environment}_{'0' * len(key_id)}_{secret}",
        f"xx_{environment}_{key_id}_{secret}",
        f"{tenant.api_key}_x",
        secret,
    ):
        refused(stranger.get("/v1/whoami", headers={"X-Api-Key": key}), 401, "UNAUTHENTICATED")


def test_a_revoked_key_dies_while_the_process_runs(service: Pipeline, stranger: httpx.Client, tenant: Tenant) -> None:
    key = service.key(tenant, ["*"])
    with psycopg.connect(service.settings.database_url.get_secret_value(), autocommit=True) as connection:
        keys.revoke(connection, key.split("_")[2])
    eventually(
        lambda: stranger.get("/v1/whoami", headers={"X-Api-Key": key}).status_code == 401, what="the key is dead"
    )


def test_a_key_is_in_no_log(service: Pipeline, client: httpx.Client, tenant: Tenant) -> None:
    client.get("/v1/whoami")
    secret = tenant.api_key.split("_")[3]
    assert "role_started" in service.log("api")
    assert secret not in service.log("api")


def test_a_bucket_holds_a_minute_and_classes_do_not_starve_each_other(
    service: Pipeline, stranger: httpx.Client, tenant: Tenant
) -> None:
    key = {"X-Api-Key": service.key(tenant, ["*"], tier="standard")}
    path = f"/v1/content/{uuid.uuid4()}/clone-from-post"
    answers = [stranger.post(path, json={}, headers=key) for _ in range(40)]
    passed = [answer for answer in answers if answer.status_code == 422]
    assert [answer.status_code for answer in answers[:20]] == [422] * 20
    assert [int(answer.headers["x-ratelimit-remaining"]) for answer in passed[:20]] == sorted(
        (int(answer.headers["x-ratelimit-remaining"]) for answer in passed[:20]), reverse=True
    )
    limited = [answer for answer in answers if answer.status_code == 429]
    assert limited
    for answer in limited:
        refused(answer, 429, "RATE_LIMITED")
        assert 1 <= int(answer.headers["retry-after"]) <= 3
        assert answer.headers["x-ratelimit-remaining"] == "0"
    for answer in answers:
        assert answer.headers["x-ratelimit-limit"] == "20"
        assert 0 < int(answer.headers["x-ratelimit-reset"]) <= 60
        assert answer.headers["x-ratelimit-endpoint-class"] == "long-running"
    read = stranger.get("/v1/whoami", headers=key)
    assert (read.status_code, read.headers["x-ratelimit-limit"]) == (200, "120")
    assert read.headers["x-ratelimit-endpoint-class"] == "read-light"
    cancel = stranger.post("/v1/jobs/x/cancel", headers=key)
    assert (cancel.status_code, cancel.headers["x-ratelimit-limit"]) == (422, "60")
    assert cancel.headers["x-ratelimit-endpoint-class"] == "write-light"


def test_a_refused_scope_counts_and_shows_the_limits(stranger: httpx.Client, by_scope: dict[str, str]) -> None:
    headers = {"X-Api-Key": by_scope["jobs:read"]}
    answer = stranger.post(f"/v1/content/{uuid.uuid4()}/clone-from-post", json={}, headers=headers)
    refused(answer, 403, "FORBIDDEN_SCOPE")
    assert answer.headers["x-ratelimit-endpoint-class"] == "long-running"
