"""Every metric of every process: one typed catalogue.

`clonepost_stage_oldest_record_seconds` is the one to alert on: the age of the oldest record that a stage has read and
not finished. Offset lag says how many; this says how late.
"""

import time
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Metric, start_http_server
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

_FAST: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

RECORDS: Final = Counter("clonepost_stage_records", "Records handled to the end", ["stage"])
BATCH_SECONDS: Final = Histogram(
    "clonepost_stage_batch_seconds", "One batch, stalls included", ["stage"], buckets=_FAST
)
STALLS: Final = Counter("clonepost_stage_stalls", "Times a batch waited for an outage to end", ["stage"])
DEAD_LETTERS: Final = Counter("clonepost_stage_dead_letters", "Records dead-lettered", ["stage", "reason"])
OUTCOMES: Final = Counter("clonepost_outcomes", "What became of the work of a stage", ["stage", "outcome"])
VARIATION_SECONDS: Final = Histogram("clonepost_variation_seconds", "Generating one variation", ["generator"])
PROVIDER_CALLS: Final = Counter("clonepost_provider_calls", "Calls of a model's provider by their end", ["outcome"])
PROVIDER_TOKENS: Final = Counter("clonepost_provider_tokens", "Tokens that a provider says it used", ["direction"])
_OLDEST_AGE: Final = Gauge(
    "clonepost_stage_oldest_record_seconds", "Age of the oldest record that is read and not finished", ["stage"]
)


class _Answers:
    """Answers of one route and status: how many took at most as long as each bound and longer than the one before."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(_FAST) + 1)
        self.seconds = 0.0


_answers: Final[dict[tuple[str, int], _Answers]] = {}


def observe_http(route: str, status: int, seconds: float) -> None:
    """Count one answer, on the event loop. `route` is a pattern, never a path, so that there are only so many."""
    # Plain numbers, made into metrics when they are asked for: the library's own take a lock for each of three.
    answers = _answers.get((route, status))
    if answers is None:
        answers = _answers[route, status] = _Answers()
    answers.counts[bisect_left(_FAST, seconds)] += 1
    answers.seconds += seconds


class _Http(Collector):
    def collect(self) -> Iterator[Metric]:
        """`clonepost_http_requests_total` by route and status, `clonepost_http_seconds` by route."""
        requests = CounterMetricFamily(
            "clonepost_http_requests", "Answers by route and status", labels=["route", "status"]
        )
        times = HistogramMetricFamily("clonepost_http_seconds", "Time to answer", labels=["route"])
        routes: dict[str, _Answers] = {}
        for (route, status), answers in list(_answers.items()):
            counts = list(answers.counts)
            requests.add_metric([route, str(status)], sum(counts))
            of_route = routes.setdefault(route, _Answers())
            of_route.counts = [one + other for one, other in zip(of_route.counts, counts, strict=True)]
            of_route.seconds += answers.seconds
        for route, answers in routes.items():
            bounds = [*map(floatToGoString, _FAST), "+Inf"]
            up_to = zip(bounds, accumulate(answers.counts), strict=True)
            times.add_metric([route], list(up_to), answers.seconds)
        yield requests
        yield times


REGISTRY.register(_Http())


class _Oldest:
    """The oldest unfinished record of a stage; its age is computed when scraped, so a stuck stage keeps ageing."""

    def __init__(self) -> None:
        self.timestamp_ms: int | None = None

    def age_seconds(self) -> float:
        return 0.0 if self.timestamp_ms is None else max(0.0, time.time() - self.timestamp_ms / 1000)


_oldest: Final[dict[str, _Oldest]] = {}


def observe_oldest_record(stage: str, timestamp_ms: int | None) -> None:
    """Say that `stage` now works on a record of that time (Unix ms), or on none."""
    if stage not in _oldest:
        _oldest[stage] = _Oldest()
        _OLDEST_AGE.labels(stage).set_function(_oldest[stage].age_seconds)
    _oldest[stage].timestamp_ms = timestamp_ms


def serve(port: int | None) -> None:
    """Serve /metrics on localhost's `port` from a thread; None serves nothing."""
    if port is not None:
        start_http_server(port)
