"""The whole measurement: latency first, then the pipeline and the raw limit in turn, on one stack."""

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.pipeline.capture import capture
from bench.pipeline.costs import Meter
from bench.pipeline.crowd import settle_in
from bench.pipeline.latency import Latency, measure_latency
from bench.pipeline.limit import Limit, run_limit
from bench.pipeline.report import round_document, whole_document
from bench.pipeline.rounds import run_round
from bench.pipeline.stack import Stack, running_stack
from storage.connection import Database


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure. `raw_jobs` bounds the bytes that the raw limit writes; 0 leaves the limit out."""

    jobs: int
    variations: int
    rounds: int
    organizations: int
    raw_jobs: int
    latency_requests: int


def measure(plan: Plan, folder: Path | None, say: Callable[[str], None]) -> dict[str, Any]:
    """Run the plan on a stack of its own. Returns the document of `report`. Raises ClonepostError."""
    with running_stack(folder, say) as stack:
        database = Database(stack.database_url, application_name="bench")
        try:
            rounds, latency = _measure(plan, stack, database, say)
        finally:
            database.close()
    return whole_document(rounds, latency, asdict(plan))


def _measure(
    plan: Plan, stack: Stack, database: Database, say: Callable[[str], None]
) -> tuple[list[dict[str, Any]], Latency | None]:
    settings, meter = stack.settings, Meter(stack.processes, database)
    tenants = settle_in(database, plan.organizations)
    latency: Latency | None = None
    if plan.latency_requests:
        latency = measure_latency(
            settings, database, stack.http, tenants[0], requests=plan.latency_requests, variations=plan.variations
        )
    documents = []
    for number in range(1, plan.rounds + 1):
        # A label that no other run on this database has.
        label = f"bench-{os.getpid()}-{number}"
        done = run_round(settings, meter, tenants, jobs=plan.jobs, variations=plan.variations, requested_by=label)
        say(f"round {number}: {plan.jobs / done.seconds:,.0f} jobs/s")
        captured = capture(settings, database, done, most_jobs=plan.raw_jobs) if plan.raw_jobs else None
        limit: Limit | None = None
        if captured is not None:
            limit = run_limit(settings, database, meter, captured, name=f"raw_{os.getpid()}_{number}")
            say(f"raw limit: {captured.jobs / limit.seconds:,.0f} jobs/s")
        documents.append(round_document(done, captured, limit))
    return documents, latency
