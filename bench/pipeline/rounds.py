"""One round of the pipeline: N requests written at once, timed until every completion event is read."""

import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from typing import Any, Final

from bench.pipeline.clients import Place, checked, reader
from bench.pipeline.costs import Costs, Meter
from bench.pipeline.crowd import Tenant, requests
from runtime.errors import ClonepostError
from runtime.kafka import new_producer
from runtime.kafka_admin import KafkaAdmin
from runtime.settings import Settings
from schemas.topics import ADMISSIONS, JOB_EVENTS, JOBS_COMPLETED, REQUESTS, VARIATION_RESULTS

FLOW: Final = (REQUESTS, ADMISSIONS, VARIATION_RESULTS, JOB_EVENTS, JOBS_COMPLETED)
"""The topics that a job without an asker passes through."""
_SILENT_SECONDS: Final = 60.0
_QUEUE_RECORDS: Final = 500_000


@dataclass(frozen=True, slots=True)
class Round:
    """What one round took. `starts` and `ends` are the offsets around it, by topic and partition."""

    requested_by: str
    jobs: int
    seconds: float
    written_seconds: float
    """When the last request was acknowledged."""
    costs: tuple[Costs, Costs, Costs]
    """Before, when half of the events had come, and after."""
    bench_cpu_seconds: float
    """What writing the requests and reading the events took."""
    starts: dict[Place, int]
    ends: dict[Place, int]


def run_round(
    settings: Settings, meter: Meter, tenants: Sequence[Tenant], *, jobs: int, variations: int, requested_by: str
) -> Round:
    """Write `jobs` requests as fast as the client can, read until each has its completion event.

    Raises ClonepostError when events stop coming.
    """
    admin = KafkaAdmin(settings)
    starts = offsets(admin, settings)
    completed = settings.topic_prefix + JOBS_COMPLETED.name
    consumer = reader(settings, {place: offset for place, offset in starts.items() if place[0] == completed})
    context = multiprocessing.get_context("spawn")
    ready, go, told = context.Event(), context.Event(), context.SimpleQueue()
    writer = context.Process(
        target=_write, args=(settings, list(tenants), jobs, variations, requested_by, ready, go, told), daemon=True
    )
    writer.start()
    try:
        ready.wait()
        before, cpu_before = meter.read(), time.process_time()
        go.set()
        half, ended_at = _await_events(consumer, jobs, meter)
        cpu_read = time.process_time() - cpu_before
        began_at, written_at, cpu_written = told.get()
        after = meter.read()
    finally:
        consumer.close()
        writer.kill()
        writer.join()
    return Round(
        requested_by=requested_by,
        jobs=jobs,
        seconds=ended_at - began_at,
        written_seconds=written_at - began_at,
        costs=(before, half, after),
        bench_cpu_seconds=cpu_read + cpu_written,
        starts=starts,
        ends=offsets(admin, settings),
    )


def offsets(admin: KafkaAdmin, settings: Settings) -> dict[Place, int]:
    """The end offsets of the flow's topics now."""
    return {
        (settings.topic_prefix + topic.name, partition): offset
        for topic in FLOW
        for partition, offset in admin.end_offsets(settings.topic_prefix + topic.name).items()
    }


def _await_events(consumer: Any, jobs: int, meter: Meter) -> tuple[Costs, float]:
    seen: set[bytes] = set()
    half: Costs | None = None
    heard_at = time.monotonic()
    while len(seen) < jobs:
        records = checked(consumer.consume(2_000, 0.05))
        if records:
            seen.update(record.key() or b"" for record in records)
            heard_at = time.monotonic()
        elif time.monotonic() - heard_at > _SILENT_SECONDS:
            raise ClonepostError(
                f"only {len(seen)} of {jobs} completion events came, and none for {_SILENT_SECONDS:.0f} s: "
                "see the roles' logs"
            )
        if half is None and len(seen) * 2 >= jobs:
            half = meter.read()
    assert half is not None
    return half, heard_at


def _write(
    settings: Settings,
    tenants: list[Tenant],
    jobs: int,
    variations: int,
    requested_by: str,
    ready: Event,
    go: Event,
    told: Any,
) -> None:
    """The writing process: prepares every byte first."""
    prepared: list[tuple[str, bytes | None, bytes | None, Any]] = [
        (record.topic, record.value, record.key, list(record.headers))
        for record in requests(
            tenants,
            jobs=jobs,
            variations=variations,
            requested_by=requested_by,
            at_ms=time.time_ns() // 1_000_000,
            topic_prefix=settings.topic_prefix,
        )
    ]
    producer = new_producer(
        settings, **{"queue.buffering.max.messages": _QUEUE_RECORDS, "delivery.timeout.ms": 120_000}
    )
    producer.list_topics(prepared[0][0])
    ready.set()
    go.wait()
    began_at, cpu_before = time.monotonic(), time.process_time()
    for topic, value, key, headers in prepared:
        producer.produce(topic, value, key, headers=headers)
    left = producer.flush(120)
    told.put((began_at, time.monotonic(), time.process_time() - cpu_before))
    assert left == 0, "requests were not acknowledged"
