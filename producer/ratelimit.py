"""Token buckets: one per key and class, a minute's worth deep, so that one class never starves another."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from producer.errors import ApiError
from schemas.errors import ErrorCode

EndpointClass = Literal["read-light", "write-light", "long-running"]

PER_MINUTE: Final[dict[str, dict[EndpointClass, int]]] = {
    "standard": {"read-light": 120, "write-light": 60, "long-running": 20},
    "pilot": {"read-light": 1_200, "write-light": 600, "long-running": 60},
    "partner": {"read-light": 6_000, "write-light": 3_000, "long-running": 300},
}

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class RateLimiter:
    """Counts requests. `enforced` false counts and shows, and never refuses."""

    def __init__(self, *, enforced: bool = True, clock: Callable[[], float] = time.monotonic) -> None:
        self._enforced = enforced
        self._clock = clock
        self._buckets: dict[tuple[str, EndpointClass], _Bucket] = {}

    def take(self, key_id: str, tier: str, endpoint_class: EndpointClass) -> Headers:
        """Take one token. Returns the headers of the answer. Raises ApiError RATE_LIMITED with the same headers."""
        limit = PER_MINUTE[tier][endpoint_class]
        per_second = limit / 60
        now = self._clock()
        bucket = self._buckets.get((key_id, endpoint_class))
        if bucket is None:
            bucket = self._buckets[key_id, endpoint_class] = _Bucket(limit, now)
        bucket.tokens = min(limit, bucket.tokens + (now - bucket.filled_at) * per_second)
        bucket.filled_at = now
        allowed = bucket.tokens >= 1
        if allowed or not self._enforced:
            bucket.tokens = max(0.0, bucket.tokens - 1)
        headers = (
            (b"x-ratelimit-limit", b"%d" % limit),
            (b"x-ratelimit-remaining", b"%d" % int(bucket.tokens)),
            (b"x-ratelimit-reset", b"%d" % math.ceil((limit - bucket.tokens) / per_second)),
            (b"x-ratelimit-endpoint-class", endpoint_class.encode()),
        )
        if not allowed and self._enforced:
            raise ApiError(
                ErrorCode.RATE_LIMITED,
                f"More than {limit} {endpoint_class} requests in a minute — slow down.",
                retry_after_seconds=max(1, math.ceil((1 - bucket.tokens) / per_second)),
                headers=headers,
            )
        return headers
