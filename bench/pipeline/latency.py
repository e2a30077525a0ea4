"""From a POST to its completion event, one job at a time."""

import statistics
import time
import uuid
from dataclasses import dataclass
from typing import Final

import httpx

from bench.pipeline.clients import checked, reader
from bench.pipeline.crowd import Tenant
from bench.pipeline.rounds import offsets
from runtime.errors import ClonepostError
from runtime.kafka_admin import KafkaAdmin
from runtime.settings import Settings
from schemas.topics import JOBS_COMPLETED
from storage import keys
from storage.connection import Database

_WARM_UP: Final = 20
_PATIENCE_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from before the POST to the answer, and to the event read as an analyst reads it."""

    requests: int
    answer_p50_ms: float
    answer_p99_ms: float
    event_p50_ms: float
    event_p99_ms: float


def measure_latency(
    settings: Settings, database: Database, address: str, tenant: Tenant, *, requests: int, variations: int
) -> Latency:
    """POST that many clones, each after the event of the one before. Raises ClonepostError when one does not end."""
    with database.transaction() as connection:
        _, key = keys.create(connection, tenant.org_id, scopes=["*"], tier="partner", environment="bench")
    completed = settings.topic_prefix + JOBS_COMPLETED.name
    ends = offsets(KafkaAdmin(settings), settings)
    consumer = reader(settings, {place: offset for place, offset in ends.items() if place[0] == completed})
    answers: list[float] = []
    events: list[float] = []
    try:
        with httpx.Client(base_url=address, headers={"X-Api-Key": key}, timeout=30, trust_env=False) as client:
            _await_key(client)
            for _ in range(_WARM_UP + requests):
                container = uuid.uuid4()
                path = f"/v1/content/{container}/clone-from-post"
                began_at = time.perf_counter()
                answer = client.post(path, json=tenant.body(variations))
                answers.append((time.perf_counter() - began_at) * 1000)
                if answer.status_code != httpx.codes.ACCEPTED:
                    raise ClonepostError(f"a POST was refused: {answer.text}")
                _await_event(consumer, str(container).encode())
                events.append((time.perf_counter() - began_at) * 1000)
    finally:
        consumer.close()
    return Latency(requests, *_quantiles(answers[_WARM_UP:]), *_quantiles(events[_WARM_UP:]))


def _await_key(client: httpx.Client) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while client.get("/v1/whoami").status_code != httpx.codes.OK:
        if time.monotonic() > until:
            raise ClonepostError("the API does not take the new key; see its log")
        time.sleep(0.1)


def _await_event(consumer: object, key: bytes) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < until:
        message = consumer.poll(1.0)  # type: ignore[attr-defined]  # the client library is named in one module
        if message is not None and any(record.key() == key for record in checked([message])):
            return
    raise ClonepostError(f"no completion event came within {_PATIENCE_SECONDS:.0f} s; see the roles' logs")


def _quantiles(values: list[float]) -> tuple[float, float]:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return cuts[49], cuts[98]
