"""API keys: made once, kept as hashes, revoked at once."""

import hashlib
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from storage.connection import Connection

TIERS: Final = ("standard", "pilot", "partner")
SCOPES: Final = (
    "content:write",
    "content:read",
    "jobs:read",
    "jobs:cancel",
    "metrics:read",
    "webhooks:write",
    "*",
)
_PREFIX: Final = "lp"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as every API process holds it. The secret itself is nowhere."""

    key_id: str
    org_id: uuid.UUID
    secret_sha256: bytes
    scopes: frozenset[str]
    tier: str


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as `keys list` shows it."""

    key_id: str
    org_id: uuid.UUID
    scopes: list[str]
    tier: str
    created_at: datetime
    revoked_at: datetime | None


class UnknownOrganization(ValueError):
    """No organisation has that id."""


def create(
    connection: Connection, org_id: uuid.UUID, *, scopes: Sequence[str], tier: str, environment: str
) -> tuple[str, str]:
    """Make a key with 256 random bits. Returns (key id, the whole key); the latter exists nowhere else.

    Raises UnknownOrganization.
    """
    key_id = secrets.token_hex(8)
    secret = secrets.token_hex(32)
    made = connection.execute(
        """INSERT INTO api_keys (key_id, org_id, secret_sha256, scopes, tier)
           SELECT %s, org_id, %s, %s, %s FROM organizations WHERE org_id = %s""",
        (key_id, hash_secret(secret), list(scopes), tier, org_id),
    )
    if made.rowcount != 1:
        raise UnknownOrganization(f"no organisation has the id {org_id}: import it first")
    return key_id, f"{_PREFIX}_{environment}_{key_id}_{secret}"


def revoke(connection: Connection, key_id: str) -> bool:
    """Revoke a key; API processes drop it within seconds. False when there is no such key, or it is revoked already."""
    cursor = connection.execute(
        "UPDATE api_keys SET revoked_at = clock_timestamp() WHERE key_id = %s AND revoked_at IS NULL", (key_id,)
    )
    return cursor.rowcount == 1


def list_keys(connection: Connection, org_id: uuid.UUID | None) -> list[KeyRow]:
    """All keys, revoked ones too, oldest first; of one organisation where one is given."""
    rows = connection.execute(
        """SELECT key_id, org_id, scopes, tier, created_at, revoked_at FROM api_keys
           WHERE %(org)s::uuid IS NULL OR org_id = %(org)s ORDER BY created_at, key_id""",
        {"org": org_id},
    )
    return [KeyRow(*row) for row in rows]


LOAD: Final = "SELECT key_id, org_id, secret_sha256, scopes, tier FROM api_keys WHERE revoked_at IS NULL"


def loaded(rows: Sequence[Any]) -> dict[str, ApiKey]:
    """The rows of LOAD by key id: every key that is in force."""
    return {
        key_id: ApiKey(key_id, org_id, bytes(digest), frozenset(scopes), tier)
        for key_id, org_id, digest, scopes, tier in rows
    }


def split(key: str) -> tuple[str, str] | None:
    """The key id and the secret of `lp_<env>_<keyId>_<secret>`, or None for another shape."""
    parts = key.split("_")
    if len(parts) != 4 or parts[0] != _PREFIX:
        return None
    return parts[2], parts[3]


def hash_secret(secret: str) -> bytes:
    """What is stored of a secret. It has 256 random bits, so a fast hash is enough."""
    return hashlib.sha256(secret.encode()).digest()
