"""A day passes for Idempotency-Keys, in a moment."""

from typing import Final

from bench.checker.history import KeysAged
from runtime.errors import DatabaseUnavailable
from storage.connection import Database

_AGE: Final = """
  UPDATE idempotency_keys SET accepted_at = accepted_at - interval '24 hours 1 minute'
  WHERE accepted_at > clock_timestamp() - interval '24 hours' RETURNING org_id::text, idempotency_key"""


def age_keys(database_url: str) -> KeysAged:
    """Move every key that stands to the day before. What Postgres did not answer may have happened or not.

    Every wallet is locked meanwhile, as by whoever decides: each decision lies before that moment or after it.
    """
    database = Database(database_url, application_name="drill-day")
    keys: list[str] = []
    at_ms, certain = 0, False
    try:
        with database.transaction() as connection:
            connection.execute("SELECT FROM wallets ORDER BY org_id FOR UPDATE")
            keys = [f"{org} {key}" for org, key in connection.execute(_AGE)]
            (at_ms,) = connection.execute(
                "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"
            ).fetchone() or (0,)
        certain = True
    except DatabaseUnavailable:
        pass
    finally:
        database.close()
    return KeysAged(at_ms=at_ms, keys=keys, certain=certain)
