"""Rate limits over all API processes: each spends tokens that it has leased from the one bucket of a key and class.

A token that is here costs a look-up in a dictionary. Leases are renewed ahead of need, one statement for all buckets,
and hold a twentieth of the limit; only a request that finds no token waits for Postgres, a millisecond or two. What
lies unspent for two seconds is given back. So of all that a bucket holds

- nothing is spent twice: every token comes from Postgres, and a process that dies takes one lease with it at most,
  which time fills up again;
- a request may be refused while another process has tokens left: one lease at most, for three seconds at most;
- `remaining` and `reset` are exact while one process serves the key, and else older than two seconds at most.

While Postgres is away each process spends what it has leased, and then a quarter of the limit a minute by itself: up to
four processes stay within the limit together, and POST goes on. What was spent so is told to the bucket afterwards.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from producer.errors import ApiError
from producer.ratelimit import PER_MINUTE, Bucket, EndpointClass, Headers, refused, shown
from runtime.errors import DatabaseUnavailable
from storage.rate_buckets import Ask, Grant

_log = structlog.get_logger(__name__)

_LEASES_A_LIMIT: Final = 20
_LEASE_SECONDS: Final = 2.0
_LOOK_SECONDS: Final = 1.0
_FORGET_SECONDS: Final = 120.0
_AWAY_SECONDS: Final = 1.0
_PARTS_ALONE: Final = 4
# Between two statements: what is asked for meanwhile goes together.
_GATHER_SECONDS: Final = 0.005


class Buckets(Protocol):
    """Where tokens are leased."""

    async def lease(self, asks: Sequence[Ask]) -> dict[tuple[str, str], Grant]:
        """Settle all of them. Raises DatabaseUnavailable."""
        ...


@dataclass(slots=True, eq=False)
class _Held:
    """What this process knows of one bucket."""

    key_id: str
    endpoint_class: EndpointClass
    limit: int
    used_at: float
    tokens: int = 0
    """Leased, and not spent."""
    left: float = 0.0
    """For everybody, when Postgres answered last."""
    answered_at: float | None = None
    asked: bool = False
    idle: bool = False
    """Nobody needs it now: nothing is leased ahead."""
    back: float = 0.0
    """To be given back; below 0, spent while Postgres was away."""
    alone: Bucket | None = None
    """What is spent from while Postgres is away."""
    waiting: list[asyncio.Future[Headers]] = field(default_factory=list)
    lease: int = field(init=False)
    """What is leased ahead of need."""
    part: int = field(init=False)
    """What is spent in a minute while Postgres is away."""

    def __post_init__(self) -> None:
        self.lease = max(1, self.limit // _LEASES_A_LIMIT)
        self.part = max(1, self.limit // _PARTS_ALONE)

    def left_at(self, now: float) -> float:
        """What may be leased by now, as far as is known."""
        if self.answered_at is None:
            return float(self.limit)
        left = self.left + (now - self.answered_at) * self.limit / 60
        rest = self.limit - self.tokens
        return left if left < rest else rest

    def is_empty(self, now: float) -> bool:
        """Whether it is known that asking is of no use yet: others may have given some back since a second."""
        return self.answered_at is not None and now - self.answered_at < _LOOK_SECONDS and self.left_at(now) < 1

    def ask(self) -> Ask:
        ahead = 0 if self.idle else self.lease
        want = max(0, ahead + len(self.waiting) - self.tokens)
        return Ask(self.key_id, self.endpoint_class, self.limit, self.back, want)

    def spend(self, now: float) -> Headers:
        """Raises ApiError RATE_LIMITED."""
        if self.tokens < 1:
            raise refused(self.limit, self.endpoint_class, self.left_at(now))
        self.tokens -= 1
        self.used_at, self.idle = now, False
        return shown(self.limit, self.endpoint_class, self.tokens + self.left_at(now))

    def spend_alone(self, now: float) -> Headers:
        """Without Postgres. Raises ApiError RATE_LIMITED."""
        if self.tokens >= 1:
            return self.spend(now)
        if self.alone is None:
            self.alone = Bucket(self.part, min(self.part, self.left_at(now)), now)
        if not self.alone.take(now):
            raise refused(self.limit, self.endpoint_class, self.alone.tokens, a_minute=self.part)
        self.used_at = now
        # However long it lasts: the bucket fills up meanwhile, and no more is owed than it can give in a moment.
        self.back = max(-float(self.part), self.back - 1)
        return shown(self.limit, self.endpoint_class, self.alone.tokens)


class LeasedLimits:
    """The limits of one API process. Used on its event loop only; `run` must run."""

    def __init__(self, buckets: Buckets, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._buckets = buckets
        self._clock = clock
        self._held: dict[tuple[str, str, EndpointClass], _Held] = {}
        self._asked: list[_Held] = []
        self._woken = asyncio.Event()
        self._away = False

    def take(self, key_id: str, tier: str, endpoint_class: EndpointClass) -> Headers | None:
        """Take a token that is leased; None where there is none."""
        held = self._held.get((key_id, tier, endpoint_class))
        if held is None or held.tokens < 1:
            return None
        now = self._clock()
        headers = held.spend(now)
        if held.tokens * 2 < held.lease or now - (held.answered_at or 0.0) > _LEASE_SECONDS:
            self._ask(held)
        return headers

    async def wait(self, key_id: str, tier: str, endpoint_class: EndpointClass) -> Headers:
        """Take a token once there is one or none can be had. Raises ApiError RATE_LIMITED."""
        now = self._clock()
        place = (key_id, tier, endpoint_class)
        held = self._held.get(place)
        if held is None:
            held = self._held[place] = _Held(key_id, endpoint_class, PER_MINUTE[tier][endpoint_class], now)
        if held.tokens >= 1 or (held.is_empty(now) and not self._away):
            return held.spend(now)
        held.used_at, held.idle = now, False
        self._ask(held)
        if self._away:
            return held.spend_alone(now)
        future: asyncio.Future[Headers] = asyncio.get_running_loop().create_future()
        held.waiting.append(future)
        return await future

    async def run(self) -> None:
        """Lease what is needed, and give back what is not, until cancelled."""
        looked_at = self._clock()
        while True:
            timer = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._woken.set)
            await self._woken.wait()
            timer.cancel()
            self._woken.clear()
            if (now := self._clock()) - looked_at >= _LOOK_SECONDS:
                looked_at = now
                self.give_back(unused_since=now - _LEASE_SECONDS)
            await asyncio.sleep(_GATHER_SECONDS if await self.settle() else _AWAY_SECONDS)

    async def settle(self) -> bool:
        """Settle with Postgres what was asked for until now. Whether it answered."""
        asked, self._asked = self._asked, []
        if not asked:
            return not self._away
        asks = [held.ask() for held in asked]
        # Who comes while Postgres is asked is not in these asks: the next ones are theirs.
        waiting = [held.waiting for held in asked]
        for held in asked:
            held.asked, held.back, held.waiting = False, 0.0, []
        try:
            grants = await self._buckets.lease(asks)
        except DatabaseUnavailable as error:
            if not self._away:
                _log.warning("rate_limits_alone", reason=str(error))
            self._away = True
            now = self._clock()
            for held, ask, requests in zip(asked, asks, waiting, strict=True):
                # What was to be given back is let go: perhaps it was. What is owed stays owed, and asking goes on.
                held.back += min(0.0, ask.back)
                _serve(requests, held.spend_alone, now)
                self._ask(held)
            for held in self._asked:
                came, held.waiting = held.waiting, []
                _serve(came, held.spend_alone, now)
            return False
        if self._away:
            _log.info("rate_limits_shared")
        self._away = False
        now = self._clock()
        for held, requests in zip(asked, waiting, strict=True):
            grant = grants[held.key_id, held.endpoint_class]
            held.tokens += grant.granted
            held.left, held.answered_at, held.alone = grant.left, now, None
            _serve(requests, held.spend, now)
        return True

    def give_back(self, *, unused_since: float) -> None:
        """Ask to give back the tokens that nobody has used since; forget what nobody has used for long."""
        for place, held in list(self._held.items()):
            if held.used_at > unused_since:
                continue
            if held.tokens:
                held.back += held.tokens
                held.tokens, held.idle = 0, True
                self._ask(held)
            elif held.used_at < unused_since - _FORGET_SECONDS and not held.asked:
                del self._held[place]

    async def close(self) -> None:
        """Give everything back, if Postgres answers; what it does not take back, time fills up."""
        self.give_back(unused_since=self._clock())
        await self.settle()

    def _ask(self, held: _Held) -> None:
        if not held.asked:
            held.asked = True
            self._asked.append(held)
            self._woken.set()


def _serve(waiting: Sequence[asyncio.Future[Headers]], spend: Callable[[float], Headers], now: float) -> None:
    for future in waiting:
        if future.done():
            # Its request was given up.
            continue
        try:
            future.set_result(spend(now))
        except ApiError as error:
            future.set_exception(error)
