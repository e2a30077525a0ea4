"""What a key may do in a minute, by tier and class: a bucket that holds a whole minute, and how answers show it."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from producer.errors import ApiError
from schemas.errors import ErrorCode

EndpointClass = Literal["read-light", "write-light", "long-running"]

PER_MINUTE: Final[dict[str, dict[EndpointClass, int]]] = {
    "standard": {"read-light": 120, "write-light": 60, "long-running": 20},
    "pilot": {"read-light": 1_200, "write-light": 600, "long-running": 60},
    "partner": {"read-light": 6_000, "write-light": 3_000, "long-running": 300},
}

Headers = tuple[tuple[bytes, bytes], ...]

_CLASSES: Final = {
    name: (b"x-ratelimit-endpoint-class", name.encode()) for classes in PER_MINUTE.values() for name in classes
}
_LIMITS: Final = {
    limit: (b"x-ratelimit-limit", b"%d" % limit) for classes in PER_MINUTE.values() for limit in classes.values()
}


class Limits(Protocol):
    """Lets a key's requests through, one token each."""

    def take(self, key_id: str, tier: str, endpoint_class: EndpointClass) -> Headers | None:
        """Take a token that is here: the headers of the answer. None where it must be waited for."""
        ...

    async def wait(self, key_id: str, tier: str, endpoint_class: EndpointClass) -> Headers:
        """Take a token once there is one or none can be had. Raises ApiError RATE_LIMITED with the same headers."""
        ...


@dataclass(slots=True)
class Bucket:
    """Tokens that come back evenly, `most` of them a minute. Times are monotonic seconds."""

    most: float
    tokens: float
    filled_at: float

    def take(self, now: float) -> bool:
        """Take one token, if there is one."""
        self.tokens = min(self.most, self.tokens + (now - self.filled_at) * self.most / 60)
        self.filled_at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


def shown(limit: int, endpoint_class: EndpointClass, tokens: float) -> Headers:
    """The headers of an answer that leaves so many tokens; `reset` is when there will be all of them again."""
    # Without calls of `min` and `max`: this is on the hot path.
    if tokens < 0:
        tokens = 0
    elif tokens > limit:
        tokens = limit
    return (
        _LIMITS[limit],
        (b"x-ratelimit-remaining", b"%d" % tokens),
        (b"x-ratelimit-reset", b"%d" % math.ceil((limit - tokens) * 60 / limit)),
        _CLASSES[endpoint_class],
    )


def refused(limit: int, endpoint_class: EndpointClass, tokens: float, *, a_minute: float | None = None) -> ApiError:
    """The error of a request that found less than one token, where so many come back in a minute."""
    return ApiError(
        ErrorCode.RATE_LIMITED,
        f"More than {limit} {endpoint_class} requests in a minute — slow down.",
        retry_after_seconds=max(1, math.ceil((1 - tokens) * 60 / (a_minute or limit))),
        headers=shown(limit, endpoint_class, tokens),
    )


class CountedOnly:
    """Counts and shows, and never refuses: for benchmarks."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, EndpointClass], Bucket] = {}

    def take(self, key_id: str, tier: str, endpoint_class: EndpointClass) -> Headers:
        """Take one token where there is one."""
        limit = PER_MINUTE[tier][endpoint_class]
        now = self._clock()
        bucket = self._buckets.get((key_id, endpoint_class))
        if bucket is None:
            bucket = self._buckets[key_id, endpoint_class] = Bucket(limit, limit, now)
        bucket.take(now)
        return shown(limit, endpoint_class, bucket.tokens)

    async def wait(self, key_id: str, tier: str, endpoint_class: EndpointClass) -> Headers:
        """The same; nothing is ever waited for."""
        return self.take(key_id, tier, endpoint_class)
