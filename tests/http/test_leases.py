"""Limits that hold over several processes: several `LeasedLimits` on one real database, and two real API processes."""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import psycopg
import pytest

from producer.errors import ApiError
from producer.leases import LeasedLimits
from producer.ratelimit import EndpointClass
from runtime.settings import Settings
from storage import keys
from storage.rate_buckets import Ask, RateBuckets
from tests.awaiting import eventually
from tests.e2e.pipeline import Pipeline
from tests.http.judge import Judge
from tests.servers import database_away

pytestmark = pytest.mark.anyio

STARTS: EndpointClass = "long-running"


@pytest.fixture
def anyio_backend() -> str:
    """The event loop of the API."""
    return "asyncio"


@asynccontextmanager
async def process(database_url: str, *, tended: bool = True) -> AsyncIterator[LeasedLimits]:
    """The limits of one process; untended, they lease only when the test calls `settle`."""
    buckets = RateBuckets(database_url)
    await buckets.open()
    limits = LeasedLimits(buckets)
    running = asyncio.create_task(limits.run()) if tended else None
    try:
        yield limits
    finally:
        if running is not None:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
        await buckets.close()


async def ask(limits: LeasedLimits, key: str, tier: str = "standard") -> int | ApiError:
    """What remains, or the refusal."""
    try:
        headers = limits.take(key, tier, STARTS) or await limits.wait(key, tier, STARTS)
    except ApiError as error:
        return error
    return int(dict(headers)[b"x-ratelimit-remaining"])


async def spend(limits: LeasedLimits, key: str, times: int, tier: str = "standard") -> list[int]:
    """What remained after each that was let through."""
    answers = await asyncio.gather(*(ask(limits, key, tier) for _ in range(times)))
    return [answer for answer in answers if isinstance(answer, int)]


async def left(database_url: str, key: str) -> float:
    """What the bucket holds."""
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        rows = await connection.execute("SELECT tokens FROM rate_buckets WHERE key_id = %s", (key,))
        (tokens,) = await rows.fetchone() or (0.0,)
        return float(tokens)


class Refill:
    """How many tokens may have come back since it was made."""

    def __init__(self, a_minute: int) -> None:
        self._a_minute = a_minute
        self._since = time.monotonic()

    def most(self) -> int:
        return int((time.monotonic() - self._since) * self._a_minute / 60) + 1


async def test_two_processes_let_one_limit_through(database_url: str) -> None:
    async with process(database_url) as first, process(database_url) as second:
        came_back = Refill(20)
        both = await asyncio.gather(spend(first, "k", 40), spend(second, "k", 40))
        assert 20 <= len(both[0]) + len(both[1]) <= 20 + came_back.most()
        refusal = await ask(second, "k")
        assert isinstance(refusal, ApiError)
        assert (refusal.code, refusal.status) == ("RATE_LIMITED", 429)
        assert 1 <= (refusal.retry_after_seconds or 0) <= 3
        assert dict(refusal.headers)[b"x-ratelimit-remaining"] == b"0"
        # Another key, and another class of the same key, are others' business.
        assert await ask(second, "another") == 19
        assert await second.wait("k", "standard", "read-light")


async def test_what_a_key_is_shown_is_what_all_processes_left(database_url: str) -> None:
    async with process(database_url, tended=False) as first, process(database_url) as second:
        for expected in range(19, 9, -1):
            one = asyncio.create_task(ask(first, "k"))
            await asyncio.sleep(0)
            await first.settle()
            assert await one in (expected, expected + 1), "the second only where a token has come back meanwhile"
        # The first still holds a token that it leased ahead, and says so to nobody.
        assert await ask(second, "k") in (8, 9)


async def test_a_leased_token_is_taken_without_waiting(database_url: str) -> None:
    async with process(database_url) as limits:
        assert limits.take("k", "partner", STARTS) is None
        await limits.wait("k", "partner", STARTS)
        # A twentieth of the limit lies ready now.
        assert [limits.take("k", "partner", STARTS) is None for _ in range(16)] == [False] * 15 + [True]


async def test_leases_are_renewed_before_they_end(database_url: str) -> None:
    async with process(database_url, tended=False) as limits:
        first = asyncio.create_task(limits.wait("k", "partner", STARTS))
        await asyncio.sleep(0)
        await limits.settle()
        await first
        for _ in range(100):
            assert limits.take("k", "partner", STARTS) is not None, "nothing is waited for"
            await limits.settle()


async def test_an_idle_process_gives_back_what_it_sits_on(database_url: str) -> None:
    async with process(database_url, tended=False) as idle, process(database_url) as busy:
        one = asyncio.create_task(ask(idle, "k", "partner"))
        await asyncio.sleep(0)
        await idle.settle()
        assert await one == 299
        assert await left(database_url, "k") == pytest.approx(284, abs=1)
        idle.give_back(unused_since=time.monotonic())
        assert await idle.settle()
        assert await left(database_url, "k") == pytest.approx(299, abs=1)
        came_back = Refill(300)
        assert 299 <= len(await spend(busy, "k", 400, "partner")) <= 299 + came_back.most()
        # It leases again when it is asked again.
        assert idle.take("k", "partner", STARTS) is None


async def test_a_process_that_is_tended_gives_back_by_itself_and_forgets(database_url: str) -> None:
    async with process(database_url) as limits:
        await ask(limits, "k", "partner")
        for _ in range(600):
            if await left(database_url, "k") > 298:
                break
            await asyncio.sleep(0.05)
        assert await left(database_url, "k") > 298
        limits.give_back(unused_since=time.monotonic() + 1_000)
        assert not limits._held


async def test_a_process_that_stops_gives_everything_back(database_url: str) -> None:
    async with process(database_url, tended=False) as limits:
        one = asyncio.create_task(ask(limits, "k", "partner"))
        await asyncio.sleep(0)
        await limits.settle()
        await one
        await limits.close()
        assert await left(database_url, "k") == pytest.approx(299, abs=1)


async def test_a_killed_process_takes_one_lease_with_it_and_time_fills_it_up(database_url: str) -> None:
    came_back = Refill(300)
    async with process(database_url) as killed:
        await ask(killed, "k", "partner")
    async with process(database_url) as other:
        # The one that was asked for, and fifteen ahead of need.
        assert 284 <= len(await spend(other, "k", 400, "partner")) <= 284 + came_back.most()
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute("UPDATE rate_buckets SET filled_at = filled_at - interval '1 minute'")
    async with process(database_url) as later:
        came_back = Refill(300)
        assert 300 <= len(await spend(later, "k", 400, "partner")) <= 300 + came_back.most()


async def test_who_comes_while_others_are_served_is_not_refused_for_them(database_url: str) -> None:
    async with process(database_url) as limits:
        came = []
        for _ in range(60):
            came.append(asyncio.create_task(ask(limits, "k", "partner")))
            # One after another, so that some come in each moment of each lease.
            await asyncio.sleep(0.0005)
        assert all(isinstance(answer, int) for answer in await asyncio.gather(*came))


async def test_a_database_clock_that_is_set_back_gives_and_takes_nothing(database_url: str) -> None:
    async with process(database_url) as limits:
        assert len(await spend(limits, "k", 5)) == 5
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
            await connection.execute("UPDATE rate_buckets SET filled_at = filled_at + interval '1 hour'")
        assert 14 <= len(await spend(limits, "k", 40)) <= 15


async def test_without_postgres_a_process_goes_on_with_a_quarter(database_url: str, postgres: str) -> None:
    async with process(database_url) as limits:
        assert await ask(limits, "known", "partner") == 299
        with database_away(postgres, database_url):
            came_back = Refill(75)
            # 15 are leased.
            assert 90 <= len(await spend(limits, "known", 400, "partner")) <= 90 + came_back.most()
            refusal = await ask(limits, "known", "partner")
            assert isinstance(refusal, ApiError)
            assert refusal.status == 429
            assert 75 <= len(await spend(limits, "unknown", 400, "partner")) <= 75 + came_back.most()
            assert len(await spend(limits, "small", 400)) == 5
        # What was spent alone is told afterwards.
        for _ in range(600):
            if 0 < await left(database_url, "known") < 230:
                break
            await asyncio.sleep(0.05)
        assert 200 < await left(database_url, "known") < 230
        assert await ask(limits, "known", "partner") in range(200, 231)


async def test_who_was_at_the_limit_gets_no_quarter_when_postgres_goes(database_url: str, postgres: str) -> None:
    async with process(database_url) as limits:
        await spend(limits, "k", 40)
        with database_away(postgres, database_url):
            came_back = Refill(20)
            assert len(await spend(limits, "k", 40)) <= came_back.most()


async def test_many_processes_and_keys_at_once_do_not_deadlock(database_url: str) -> None:
    names = [uuid.uuid4().hex for _ in range(30)]
    several = [RateBuckets(database_url) for _ in range(4)]
    for buckets in several:
        await buckets.open()

    async def lease(buckets: RateBuckets, turn: int) -> Counter[str]:
        got: Counter[str] = Counter()
        for step in range(20):
            asked = names if (turn + step) % 2 else names[::-1]
            grants = await buckets.lease([Ask(name, STARTS, 20, 0.0, 1) for name in asked])
            got.update({name: grant.granted for (name, _), grant in grants.items()})
        return got

    granted = sum(await asyncio.gather(*map(lease, several, range(4))), Counter())
    assert {20, 21} >= set(granted.values())
    for buckets in several:
        await buckets.close()


@pytest.fixture
def pair(settings: Settings, tmp_path: Path) -> Iterator[tuple[Pipeline, Pipeline]]:
    """Two API processes of one system, with rate limits, and a judge that accepts."""
    judge = Judge(settings)
    services = []
    try:
        for number in ("1", "2"):
            folder = tmp_path / number
            folder.mkdir()
            services.append(Pipeline(settings, folder, {"CLONEPOST_RATE_LIMITS": "true"}))
            services[-1].launch("api")
        for service in services:
            service.await_ready()
        yield services[0], services[1]
    finally:
        for service in services:
            service.close()
        judge.close()


def test_two_api_processes_share_a_limit_keep_on_without_postgres_and_drop_a_revoked_key(
    pair: tuple[Pipeline, Pipeline], settings: Settings, postgres: str
) -> None:
    first, second = pair
    tenant = first.tenant()
    key = first.key(tenant, ["*"], tier="standard")
    for api_key in (key, tenant.api_key):
        second.await_key(api_key)

    def post(service: Pipeline, api_key: str = key) -> httpx.Response:
        return client.post(
            f"{service.address}/v1/content/{uuid.uuid4()}/clone-from-post",
            json=tenant.body(),
            headers={"X-Api-Key": api_key},
        )

    with httpx.Client(timeout=60, trust_env=False) as client, ThreadPoolExecutor(8) as pool:
        came_back = Refill(20)
        answers = list(pool.map(post, [first, second] * 30))
        passed = [answer for answer in answers if answer.status_code == 202]
        assert 20 <= len(passed) <= 20 + came_back.most()
        assert {answer.status_code for answer in answers} == {202, 429}
        for answer in answers:
            assert answer.headers["x-ratelimit-limit"] == "20"
            if answer.status_code == 429:
                assert answer.headers["x-ratelimit-remaining"] == "0"
                assert 1 <= int(answer.headers["retry-after"]) <= 3

        database_url = settings.database_url.get_secret_value()
        with database_away(postgres, database_url):
            for service in (first, second, first, second):
                assert post(service, tenant.api_key).status_code == 202
            assert post(first).status_code == 429, "who was at the limit stays there"

        with psycopg.connect(database_url, autocommit=True) as connection:
            keys.revoke(connection, key.split("_")[2])
        for service in pair:
            eventually(lambda service=service: post(service).status_code == 401, what="the key is dead")  # type: ignore[misc]
