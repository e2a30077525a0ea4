"""The raw limit: ready bytes produced and consumed once through librdkafka, rows written once by COPY, all at once.

No decoding, no decision, no order between the steps: nothing that keeps the pipeline's promises can be faster than this
on the same broker, database and machine.
"""

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.synchronize import Barrier
from typing import Any, Final

from bench.pipeline.capture import Captured, ReadyRecord
from bench.pipeline.clients import checked, reader
from bench.pipeline.costs import Costs, Meter
from bench.pipeline.rounds import FLOW
from runtime.kafka import new_admin, new_producer
from runtime.kafka_admin import KafkaAdmin
from runtime.settings import Settings
from storage.connection import Database

_QUEUE_RECORDS: Final = 1_000_000
_SLICE: Final = 5_000
_PRODUCERS: Final = 2
_CONSUMERS: Final = 2


@dataclass(frozen=True, slots=True)
class Limit:
    """What the bytes of `jobs` jobs took."""

    jobs: int
    seconds: float
    costs: tuple[Costs, Costs]
    worker_cpu_seconds: dict[str, float]


def run_limit(settings: Settings, database: Database, meter: Meter, captured: Captured, *, name: str) -> Limit:
    """Write and read the bytes in topics of their own and in a schema of its own; both are removed afterwards.

    The tables have the keys, checks and indexes of the real ones, without foreign keys.
    """
    own = settings.model_copy(update={"topic_prefix": f"{settings.topic_prefix}{name}."})
    admin = KafkaAdmin(own)
    admin.create_topics([replace(topic, retention_ms=3_600_000) for topic in FLOW])
    with database.transaction() as connection:
        connection.execute(f"CREATE SCHEMA {name}")
        for table in captured.rows:
            connection.execute(f"CREATE TABLE {name}.{table} (LIKE public.{table} INCLUDING ALL)")
    try:
        return _time(_work(own, captured, name), meter, captured.jobs)
    finally:
        with database.transaction() as connection:
            connection.execute(f"DROP SCHEMA {name} CASCADE")
        client = new_admin(own)
        for deleted in client.delete_topics([own.topic_prefix + topic.name for topic in FLOW]).values():
            deleted.result()


def _work(settings: Settings, captured: Captured, schema: str) -> list[tuple[str, Callable[[Barrier, Any], None]]]:
    work: list[tuple[str, Callable[[Barrier, Any], None]]] = []
    for part in range(_PRODUCERS):
        records = {topic: found[part::_PRODUCERS] for topic, found in captured.records.items()}
        work.append(("produce", partial(_produce, settings, records)))
    for part in range(_CONSUMERS):
        wanted = {
            topic: sum(record[2] % _CONSUMERS == part for record in found) for topic, found in captured.records.items()
        }
        work.append(("consume", partial(_consume, settings, part, wanted)))
    url = settings.database_url.get_secret_value()
    for table, data in captured.rows.items():
        work.append(("copy", partial(_copy, url, f"{schema}.{table}", data)))
    return work


def _time(work: list[tuple[str, Callable[[Barrier, Any], None]]], meter: Meter, jobs: int) -> Limit:
    context = multiprocessing.get_context("spawn")
    barrier, told = context.Barrier(len(work) + 1), context.SimpleQueue()
    workers = [context.Process(target=_run, args=(kind, step, barrier, told), daemon=True) for kind, step in work]
    for worker in workers:
        worker.start()
    try:
        while barrier.n_waiting < len(work):
            time.sleep(0.05)
        before = meter.read()
        barrier.wait()
        began_at = time.monotonic()
        ended_at, cpu = began_at, dict.fromkeys((kind for kind, _ in work), 0.0)
        for _ in work:
            kind, at, seconds = told.get()
            ended_at = max(ended_at, at)
            cpu[kind] += seconds
        return Limit(jobs, ended_at - began_at, (before, meter.read()), cpu)
    finally:
        for worker in workers:
            worker.kill()
            worker.join()


def _run(kind: str, step: Callable[[Barrier, Any], None], barrier: Barrier, told: Any) -> None:
    step(barrier, partial(_tell, kind, told))


def _tell(kind: str, told: Any, cpu_before: float) -> None:
    told.put((kind, time.monotonic(), time.process_time() - cpu_before))


def _produce(settings: Settings, records: dict[str, list[ReadyRecord]], barrier: Barrier, tell: Any) -> None:
    producer = new_producer(settings, **{"queue.buffering.max.messages": _QUEUE_RECORDS, "linger.ms": 5})
    work: list[tuple[str, list[Any], bool]] = []
    for topic, found in records.items():
        name = settings.topic_prefix + topic
        producer.list_topics(name)
        bare = not any(record[3] for record in found)
        # The faster call of the client takes no headers.
        ready: list[Any] = (
            [{"key": key, "value": value, "partition": place} for key, value, place, _ in found] if bare else found
        )
        work.append((name, ready, bare))
    barrier.wait()
    cpu_before = time.process_time()
    for name, ready, bare in work:
        if bare:
            for start in range(0, len(ready), _SLICE):
                producer.produce_batch(name, ready[start : start + _SLICE])
        else:
            for key, value, place, headers in ready:
                producer.produce(name, value, key, place, headers=headers)
    left = producer.flush(120)
    tell(cpu_before)
    assert left == 0, "records were not acknowledged"


def _consume(settings: Settings, part: int, wanted: dict[str, int], barrier: Barrier, tell: Any) -> None:
    starts = {
        (settings.topic_prefix + topic.name, partition): 0
        for topic in FLOW
        for partition in range(topic.partitions)
        if partition % _CONSUMERS == part
    }
    consumer = reader(settings, starts)
    consumer.poll(0)
    left = sum(wanted.values())
    barrier.wait()
    cpu_before = time.process_time()
    while left > 0:
        left -= len(checked(consumer.consume(_SLICE, 0.05)))
    tell(cpu_before)


def _copy(url: str, table: str, data: bytes, barrier: Barrier, tell: Any) -> None:
    database = Database(url, application_name="bench-copy")
    with database.transaction() as connection:
        connection.execute("SELECT 1")
    barrier.wait()
    cpu_before = time.process_time()
    statement = f"COPY {table} FROM STDIN (FORMAT binary)"
    with database.transaction() as connection, connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(data)
    tell(cpu_before)
