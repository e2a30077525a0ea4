"""Who asks: keys held in memory, refreshed every two seconds, served stale when Postgres is away. Deny by default."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from producer.errors import ApiError, unavailable
from schemas.errors import ErrorCode
from storage.keys import ApiKey, hash_secret, split


@dataclass(slots=True)
class KeyRing:
    """Every key in force. `keys` is None until the first load: then nobody can be told from a stranger."""

    keys: Mapping[str, ApiKey] | None = None

    def replace(self, keys: Mapping[str, ApiKey]) -> None:
        """Take a fresh load; keys that are missing from it are revoked from now on."""
        self.keys = keys

    def authenticate(self, api_key: str | None, authorization: str | None) -> ApiKey:
        """The key of X-Api-Key, or of `Authorization: Bearer` where there is none. Raises ApiError."""
        presented = api_key
        if presented is None and authorization is not None:
            scheme, _, rest = authorization.partition(" ")
            presented = rest.strip() if scheme.lower() == "bearer" else None
        if not presented:
            raise _unauthenticated("Send an API key in the X-Api-Key header.")
        if self.keys is None:
            raise unavailable("Keys cannot be checked yet — try again.")
        parts = split(presented)
        known = None if parts is None else self.keys.get(parts[0])
        if parts is None or known is None or not hmac.compare_digest(hash_secret(parts[1]), known.secret_sha256):
            raise _unauthenticated("The API key is not valid.")
        return known


def require_scope(key: ApiKey, scope: str | None) -> None:
    """Let the key pass if it has the scope (or none is needed). Raises ApiError."""
    if scope is not None and scope not in key.scopes and "*" not in key.scopes:
        raise ApiError(ErrorCode.FORBIDDEN_SCOPE, f"The API key lacks the scope {scope}.", details={"scope": scope})


def _unauthenticated(message: str) -> ApiError:
    return ApiError(ErrorCode.UNAUTHENTICATED, message, headers=((b"www-authenticate", b"Bearer"),))
