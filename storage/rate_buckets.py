"""One bucket of tokens for each key and class of endpoint. API processes lease tokens from it and spend them alone.

A bucket fills by the database's clock and by nothing else, so that processes whose clocks differ still agree.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from storage.questions import Questions, Row

_ANSWER_SECONDS: Final = 0.5

# One order of locking for all: the index is walked in the order of the arrays. `granted` is only there to be returned.
_LEASE: Final = """
  UPDATE rate_buckets b SET (tokens, granted, filled_at) = (
    SELECT filled.level - taken.granted, taken.granted, clock.now
    FROM (SELECT clock_timestamp() AS now) clock,
      -- A clock that was set back fills nothing, and takes nothing away.
      LATERAL (SELECT least(a.most, b.tokens + a.back
                 + a.most / 60.0 * greatest(0, extract(epoch FROM clock.now - b.filled_at))) AS level) filled,
      LATERAL (SELECT least(a.want, greatest(0, floor(filled.level)))::int AS granted) taken)
  FROM unnest(%(keys)s::text[], %(classes)s::text[], %(most)s::float8[], %(back)s::float8[], %(want)s::int[])
    AS a (key_id, endpoint_class, most, back, want)
  WHERE b.key_id = a.key_id AND b.endpoint_class = a.endpoint_class
  RETURNING b.key_id, b.endpoint_class, b.granted, b.tokens
"""
_MAKE: Final = """
  INSERT INTO rate_buckets (key_id, endpoint_class, tokens)
  SELECT a.key_id, a.endpoint_class, a.most
  FROM unnest(%(keys)s::text[], %(classes)s::text[], %(most)s::float8[]) AS a (key_id, endpoint_class, most)
  ON CONFLICT (key_id, endpoint_class) DO NOTHING RETURNING key_id
"""

Bucket = tuple[str, str]
"""A key's id and a class."""


class Ask(NamedTuple):
    """What a process wants of one bucket that holds `most` and fills once a minute."""

    key_id: str
    endpoint_class: str
    most: int
    back: float
    """Tokens that it leased and did not spend; below 0, those that it spent and had not leased."""
    want: int


class Grant(NamedTuple):
    """What it got, and what is left for all; below 0 while more was spent than there was."""

    granted: int
    left: float


class RateBuckets:
    """The buckets, for one API process: a connection of their own, so that slow reads delay no request's admission."""

    def __init__(self, database_url: str) -> None:
        """Raises Fatal when the address is malformed."""
        self._questions = Questions(
            database_url,
            application_name="clonepost-limits",
            connections=1,
            connection_seconds=_ANSWER_SECONDS,
            answer_seconds=_ANSWER_SECONDS,
        )

    async def open(self) -> None:
        """Start connecting, without waiting for it."""
        await self._questions.open()

    async def close(self) -> None:
        """Close the connection."""
        await self._questions.close()

    async def lease(self, asks: Sequence[Ask]) -> dict[Bucket, Grant]:
        """Settle all asks, at most one a bucket, in one statement; buckets that are new are full.

        Raises DatabaseUnavailable within a second: whether anything was granted is then unknown.
        """
        grants = await self._lease(asks)
        if new := [ask for ask in asks if (ask.key_id, ask.endpoint_class) not in grants]:
            await self._questions.all(_MAKE, _columns(new))
            grants |= await self._lease(new)
        return grants

    async def _lease(self, asks: Sequence[Ask]) -> dict[Bucket, Grant]:
        rows = await self._questions.all(_LEASE, _columns(asks))
        return {(row["key_id"], row["endpoint_class"]): Grant(row["granted"], row["tokens"]) for row in rows}


def _columns(asks: Sequence[Ask]) -> Row:
    ordered = sorted(asks)
    return {
        "keys": [ask.key_id for ask in ordered],
        "classes": [ask.endpoint_class for ask in ordered],
        "most": [float(ask.most) for ask in ordered],
        "back": [float(ask.back) for ask in ordered],
        "want": [ask.want for ask in ordered],
    }
