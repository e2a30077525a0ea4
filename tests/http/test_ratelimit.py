"""The bucket of one process and what is shown of it, by a clock of the test's own."""

import pytest

from producer.errors import ApiError
from producer.ratelimit import PER_MINUTE, Bucket, CountedOnly, refused, shown


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def read(headers: tuple[tuple[bytes, bytes], ...]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in headers}


def test_a_whole_minute_may_come_at_once_and_then_one_every_three_seconds() -> None:
    bucket = Bucket(20, 20, 1_000)
    assert [bucket.take(1_000) for _ in range(21)] == [True] * 20 + [False]
    assert not bucket.take(1_002.9)
    assert bucket.take(1_003.1)
    assert not bucket.take(1_003.1)


def test_a_bucket_never_holds_more_than_a_minute() -> None:
    bucket = Bucket(20, 20, 1_000)
    assert sum(bucket.take(10_000) for _ in range(30)) == 20


def test_a_refused_request_takes_nothing() -> None:
    bucket = Bucket(20, 0, 1_000)
    for _ in range(50):
        assert not bucket.take(1_000)
    assert bucket.take(1_003.1)


@pytest.mark.parametrize(
    ("tokens", "remaining", "reset"),
    [(20.0, "20", "0"), (19.0, "19", "3"), (18.5, "18", "5"), (0.2, "0", "60"), (-3.0, "0", "60"), (25.0, "20", "0")],
)
def test_reset_says_when_the_bucket_is_full_again(tokens: float, remaining: str, reset: str) -> None:
    assert read(shown(20, "long-running", tokens)) == {
        "x-ratelimit-limit": "20",
        "x-ratelimit-remaining": remaining,
        "x-ratelimit-reset": reset,
        "x-ratelimit-endpoint-class": "long-running",
    }


@pytest.mark.parametrize(("tokens", "seconds"), [(0.0, 3), (0.9, 1), (0.99, 1), (-1.0, 6)])
def test_who_is_refused_is_told_when_to_come_back(tokens: float, seconds: int) -> None:
    error = refused(20, "long-running", tokens)
    assert isinstance(error, ApiError)
    assert (error.code, error.status, error.retry_after_seconds) == ("RATE_LIMITED", 429, seconds)
    assert read(error.headers)["x-ratelimit-remaining"] == "0"


def test_unenforced_it_counts_and_never_refuses() -> None:
    limits = CountedOnly(clock=Clock())
    left = [read(limits.take("k", "standard", "long-running"))["x-ratelimit-remaining"] for _ in range(22)]
    assert left == [*map(str, range(19, -1, -1)), "0", "0"]
    assert read(limits.take("another", "standard", "long-running"))["x-ratelimit-remaining"] == "19"


def test_the_tiers_are_those_of_the_contract() -> None:
    assert {tier: tuple(classes.values()) for tier, classes in PER_MINUTE.items()} == {
        "standard": (120, 60, 20),
        "pilot": (1_200, 600, 60),
        "partner": (6_000, 3_000, 300),
    }
    assert {tuple(classes) for classes in PER_MINUTE.values()} == {("read-light", "write-light", "long-running")}
