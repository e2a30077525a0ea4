"""The bucket itself, by a clock of the test's own."""

import pytest

from producer.errors import ApiError
from producer.ratelimit import PER_MINUTE, RateLimiter


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def shown(limiter: RateLimiter, key: str = "k", tier: str = "standard") -> dict[str, str]:
    headers = limiter.take(key, tier, "long-running")
    return {name.decode(): value.decode() for name, value in headers}


def refusal(limiter: RateLimiter) -> ApiError:
    with pytest.raises(ApiError) as error:
        limiter.take("k", "standard", "long-running")
    return error.value


def test_a_whole_minute_may_come_at_once_and_then_one_every_three_seconds() -> None:
    clock = Clock()
    limiter = RateLimiter(clock=clock)
    assert [shown(limiter)["x-ratelimit-remaining"] for _ in range(20)] == [str(left) for left in range(19, -1, -1)]
    error = refusal(limiter)
    assert (error.code, error.status, error.retry_after_seconds) == ("RATE_LIMITED", 429, 3)
    clock.now += 2.9
    assert refusal(limiter).retry_after_seconds == 1
    clock.now += 0.2
    assert shown(limiter)["x-ratelimit-remaining"] == "0"
    refusal(limiter)


def test_reset_says_when_the_bucket_is_full_again() -> None:
    clock = Clock()
    limiter = RateLimiter(clock=clock)
    assert shown(limiter)["x-ratelimit-reset"] == "3"
    for _ in range(19):
        last = shown(limiter)
    assert last["x-ratelimit-reset"] == "60"
    clock.now += 3_600
    assert shown(limiter) == {
        "x-ratelimit-limit": "20",
        "x-ratelimit-remaining": "19",
        "x-ratelimit-reset": "3",
        "x-ratelimit-endpoint-class": "long-running",
    }


def test_a_refused_request_takes_nothing() -> None:
    clock = Clock()
    limiter = RateLimiter(clock=clock)
    for _ in range(20):
        shown(limiter)
    for _ in range(50):
        refusal(limiter)
    clock.now += 3
    shown(limiter)


def test_keys_have_buckets_of_their_own() -> None:
    limiter = RateLimiter(clock=Clock())
    for _ in range(20):
        shown(limiter)
    assert shown(limiter, key="another")["x-ratelimit-remaining"] == "19"


def test_unenforced_it_counts_and_never_refuses() -> None:
    limiter = RateLimiter(enforced=False, clock=Clock())
    assert [shown(limiter)["x-ratelimit-remaining"] for _ in range(22)][-3:] == ["0", "0", "0"]


def test_the_tiers_are_those_of_the_contract() -> None:
    assert {tier: tuple(classes.values()) for tier, classes in PER_MINUTE.items()} == {
        "standard": (120, 60, 20),
        "pilot": (1_200, 600, 60),
        "partner": (6_000, 3_000, 300),
    }
    assert {tuple(classes) for classes in PER_MINUTE.values()} == {("read-light", "write-light", "long-running")}
