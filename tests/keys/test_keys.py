"""A key is shown once, kept as a hash, presented in two ways, and dead as soon as it is revoked."""

import hashlib
import json
import re
import uuid
from typing import Any

import psycopg
import pytest

from producer.auth import KeyRing, require_scope
from producer.errors import ApiError
from schemas.ids import format_id
from storage import keys
from storage.reads import Reads
from tests.builders import Rows
from tests.reference.conftest import Run, complaint


def create(run: Run, org_id: uuid.UUID, *more: str) -> dict[str, str]:
    arguments = ["keys", "create", "--organization", str(org_id), "--scope", "jobs:read", *more, "--json"]
    made: dict[str, str] = json.loads(run(*arguments).stdout)
    return made


def ring(database_url: str) -> KeyRing:
    """The keys as an API process loads them."""
    with psycopg.connect(database_url) as connection:
        return KeyRing(keys.loaded(connection.execute(keys.LOAD).fetchall()))


def refused(keyring: KeyRing, api_key: str | None, authorization: str | None = None) -> ApiError:
    with pytest.raises(ApiError) as error:
        keyring.authenticate(api_key, authorization)
    return error.value


def test_a_new_key_is_printed_once_and_works(run: Run, rows: Rows, database_url: str) -> None:
    org_id = rows.organization()
    made = create(run, org_id, "--scope", "content:write", "--tier", "pilot")
    assert set(made) == {"keyId", "apiKey"}
    key = ring(database_url).authenticate(made["apiKey"], None)
    assert (key.key_id, key.org_id, key.scopes, key.tier) == (
        made["keyId"],
        org_id,
        frozenset({"jobs:read", "content:write"}),
        "pilot",
    )


def test_a_key_has_256_random_bits_and_the_documented_shape(run: Run, rows: Rows) -> None:
    org_id = rows.organization()
    made = [create(run, org_id, "--environment", "test") for _ in range(3)]
    for one in made:
        match = re.fullmatch(r"lp_test_([0-9a-z]+)_([0-9a-f]{64})", one["apiKey"])
        assert match is not None
        assert match[1] == one["keyId"]
    assert len({one["apiKey"] for one in made}) == len({one["keyId"] for one in made}) == 3


def test_the_secret_is_nowhere_in_the_database(run: Run, rows: Rows) -> None:
    made = create(run, rows.organization())
    secret = made["apiKey"].rpartition("_")[2]
    row = rows.one("SELECT row_to_json(k)::text FROM api_keys k")
    assert secret not in row
    assert rows.one("SELECT secret_sha256 FROM api_keys") == hashlib.sha256(secret.encode()).digest()


def test_an_organizations_id_is_read_in_every_form(run: Run, rows: Rows, database_url: str) -> None:
    org_id = rows.organization()
    arguments = ("keys", "create", "--scope", "*", "--json", "--organization")
    for form in (str(org_id).upper(), format_id("org", org_id), f"org_{org_id}"):
        made = json.loads(run(*arguments, form).stdout)
        assert ring(database_url).authenticate(made["apiKey"], None).org_id == org_id


def test_a_revoked_key_is_dead_with_the_next_load(run: Run, rows: Rows, database_url: str) -> None:
    org_id = rows.organization()
    dead, alive = create(run, org_id), create(run, org_id)
    assert run("keys", "revoke", dead["keyId"]).exit_code == 0
    keyring = ring(database_url)
    assert refused(keyring, dead["apiKey"]).status == 401
    assert keyring.authenticate(alive["apiKey"], None).key_id == alive["keyId"]


def test_what_cannot_be_revoked_is_said(run: Run, rows: Rows) -> None:
    made = create(run, rows.organization())
    run("keys", "revoke", made["keyId"])
    for key_id in (made["keyId"], "nobody"):
        said = complaint(run("keys", "revoke", key_id))
        assert key_id in said
        assert "clonepost keys list" in said


def test_keys_are_listed_without_secrets(run: Run, rows: Rows) -> None:
    mine, other = rows.organization(), rows.organization()
    first, second = create(run, mine), create(run, mine, "--tier", "partner")
    create(run, other)
    run("keys", "revoke", first["keyId"])
    result = run("keys", "list", "--organization", str(mine), "--json")
    listed: list[dict[str, Any]] = json.loads(result.stdout)
    time = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
    assert [(key["keyId"], key["tier"], key["revokedAt"] is None) for key in listed] == [
        (first["keyId"], "standard", False),
        (second["keyId"], "partner", True),
    ]
    assert {key["organizationId"] for key in listed} == {format_id("org", mine)}
    assert all(time.fullmatch(key["createdAt"]) for key in listed)
    assert time.fullmatch(listed[0]["revokedAt"])
    for made in (first, second):
        assert made["apiKey"].rpartition("_")[2] not in result.stdout + run("keys", "list").stdout
    assert len(json.loads(run("keys", "list", "--json").stdout)) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--scope", "jobs:write"), "scopes are content:write, content:read"),
        (("--scope", "*", "--tier", "gold"), "tiers are standard, pilot, partner"),
        (("--scope", "*", "--environment", "a_b"), "letters and digits"),
    ],
)
def test_what_is_wrong_with_a_new_key_is_said(run: Run, rows: Rows, arguments: tuple[str, ...], said: str) -> None:
    org_id = str(rows.organization())
    assert said in complaint(run("keys", "create", "--organization", org_id, *arguments))
    assert rows.one("SELECT count(*) FROM api_keys") == 0


def test_an_unknown_organization_gets_no_key(run: Run) -> None:
    create_for = ("keys", "create", "--scope", "*", "--organization")
    assert "import it first" in complaint(run(*create_for, str(uuid.uuid4())))
    assert "--organization must be a UUID, org_" in complaint(run(*create_for, "acme"))


def test_a_key_is_presented_in_either_header_and_x_api_key_counts(rows: Rows, database_url: str) -> None:
    first, second = rows.key(rows.organization()), rows.key(rows.organization())
    keyring = ring(database_url)
    assert keyring.authenticate(None, f"Bearer {first}") == keyring.authenticate(first, None)
    assert keyring.authenticate(None, f"bearer  {first} ") == keyring.authenticate(first, None)
    assert keyring.authenticate(first, f"Bearer {second}") == keyring.authenticate(first, None)
    # A bad X-Api-Key is not rescued by a good fallback.
    assert refused(keyring, "lp_test_x_y", f"Bearer {first}").status == 401


@pytest.mark.parametrize(
    "form", ["", "{0}x", "x{0}", "{1}", "lp_test_{2}_", "lp_test_{2}", "lp_test_{2}_{3}", "Basic {0}"]
)
def test_a_key_that_is_not_exactly_right_is_refused(rows: Rows, database_url: str, form: str) -> None:
    key = rows.key(rows.organization())
    _, _, key_id, secret = key.split("_")
    error = refused(ring(database_url), form.format(key, secret, key_id, "0" * 64))
    assert (error.status, error.code) == (401, "UNAUTHENTICATED")


def test_only_the_secret_decides_not_the_environment_in_the_key(rows: Rows, database_url: str) -> None:
    key = rows.key(rows.organization())
    assert ring(database_url).authenticate(key.replace("lp_test_", "lp_live_"), None).key_id == key.split("_")[2]


def test_nobody_is_refused_before_the_keys_are_loaded() -> None:
    error = refused(KeyRing(), "lp_test_x_y")
    assert (error.status, error.code, error.retry_after_seconds) == (503, "UNAVAILABLE", 1)
    # Without a key there is nothing to check.
    assert refused(KeyRing(), None).status == 401


def test_scopes_are_denied_by_default(rows: Rows, database_url: str) -> None:
    org_id = rows.organization()
    narrow, all_ = rows.key(org_id, "jobs:read"), rows.key(org_id, "*")
    keyring = ring(database_url)
    require_scope(keyring.authenticate(narrow, None), "jobs:read")
    require_scope(keyring.authenticate(narrow, None), None)
    require_scope(keyring.authenticate(all_, None), "webhooks:write")
    with pytest.raises(ApiError) as error:
        require_scope(keyring.authenticate(narrow, None), "jobs:cancel")
    assert (error.value.status, error.value.code) == (403, "FORBIDDEN_SCOPE")


@pytest.mark.anyio
async def test_the_api_loads_every_key_in_force(rows: Rows, run: Run, database_url: str) -> None:
    org_id = rows.organization()
    made = [rows.key(org_id), rows.key(rows.organization(), "jobs:read")]
    run("keys", "revoke", rows.key(org_id).split("_")[2])
    reads = Reads(database_url)
    await reads.open()
    loaded = await reads.keys()
    await reads.close()
    assert loaded == ring(database_url).keys
    assert set(loaded) == {key.split("_")[2] for key in made}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("command", ["create", "revoke", "list"])
def test_help_has_an_example(run: Run, command: str) -> None:
    assert f"Example:  clonepost keys {command}" in run("keys", command, "--help").output
