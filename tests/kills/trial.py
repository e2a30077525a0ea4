"""A trial: clients of every kind, while something harms the system; then it drains, and the checker judges."""

import threading
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.checker import Recorder, System, check, wait_until_drained
from bench.load import Analyst, Load, Operation, Tenant, make_tenants, plan, reference_lines
from bench.load.plan import WEIGHTS
from storage import keys, reference
from tests.awaiting import BOUND_SECONDS
from tests.e2e.pipeline import Pipeline

LEAST_OPERATIONS: Final = 400
"""Of which more than 200 are jobs."""
_MOST_OPERATIONS: Final = 20_000
_PAUSE_SECONDS: Final = 0.1


def hire(pipeline: Pipeline, *, seed: int) -> list[Tenant]:
    """Organisations with keys. Call it before the API starts: it loads the keys that are there."""
    tenants = make_tenants(seed=seed)
    with pipeline.database.transaction() as connection:
        reference.import_lines(connection, reference_lines(tenants))
        for tenant in tenants:
            _, tenant.api_key = keys.create(
                connection, uuid.UUID(tenant.org), scopes=["*"], tier="partner", environment="test"
            )
    return tenants


@contextmanager
def trial(
    pipeline: Pipeline, tenants: list[Tenant], folder: Path, *, seed: int, weights: Mapping[str, float] = WEIGHTS
) -> Iterator[Path]:
    """Load while the body runs, and at least so many operations; then drain and check. Yields the history's file.

    Raises AssertionError with the checker's report.
    """
    system = System(
        pipeline.settings.kafka, pipeline.settings.database_url.get_secret_value(), pipeline.settings.topic_prefix
    )
    history = folder / f"history-{seed}.jsonl"
    over = threading.Event()
    sent: list[Operation] = []
    with (
        Recorder(history) as recorder,
        Analyst(system, recorder) as analyst,
        Load(system, [pipeline.address], tenants, recorder) as load,
        ThreadPoolExecutor(1) as clients,
    ):
        operations = plan(tenants, seed=seed, operations=_MOST_OPERATIONS, weights=weights)
        running = clients.submit(load.run, _paced(operations, over, sent))
        try:
            yield history
            over.set()
            running.result()
        except BaseException:
            load.stop()
            raise
        drained = wait_until_drained(system, within_seconds=BOUND_SECONDS)
        recorder.add(drained)
        if drained.seconds is not None:
            # Else a job may never end, and neither would this.
            load.follow(sent)
        analyst.stop()
    check(system, history).raise_if_broken()


def _paced(operations: list[Operation], over: threading.Event, sent: list[Operation]) -> Iterator[Operation]:
    """So many a second and no more: what dies is to die in the middle of work, not under a mountain of it."""
    for number, operation in enumerate(operations):
        if over.is_set() and number >= LEAST_OPERATIONS:
            return
        over.wait(_PAUSE_SECONDS)
        sent.append(operation)
        yield operation
