"""One good run a session: every role, a load of every kind, then a snapshot that tests change and judge again."""

import uuid
from pathlib import Path

import pytest

from bench.checker import Recorder, System, collect, wait_until_drained
from bench.checker.snapshot import Snapshot
from bench.load import Analyst, Load, make_tenants, plan, reference_lines
from storage import keys, reference
from tests.e2e.conftest import pipeline
from tests.e2e.pipeline import Pipeline

__all__ = ["pipeline"]

SEED = 11
OPERATIONS = 300


@pytest.fixture(scope="module")
def system(pipeline: Pipeline) -> System:
    """Where the checker finds the pipeline."""
    settings = pipeline.settings
    return System(settings.kafka, settings.database_url.get_secret_value(), settings.topic_prefix)


@pytest.fixture(scope="module")
def history_file(pipeline: Pipeline, system: System, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The history of a load that has run and drained."""
    tenants = make_tenants(seed=SEED)
    with pipeline.database.transaction() as connection:
        reference.import_lines(connection, reference_lines(tenants))
        for tenant in tenants:
            _, tenant.api_key = keys.create(
                connection, uuid.UUID(tenant.org), scopes=["*"], tier="partner", environment="test"
            )
    for tenant in tenants:
        pipeline.await_key(tenant.api_key)
    operations = plan(tenants, seed=SEED, operations=OPERATIONS)
    file = tmp_path_factory.mktemp("history") / "history.jsonl"
    with (
        Recorder(file) as recorder,
        Analyst(system, recorder),
        Load(system, [pipeline.address], tenants, recorder) as load,
    ):
        load.run(operations)
        load.follow(operations)
        recorder.add(wait_until_drained(system))
    return file


@pytest.fixture(scope="module")
def good(system: System, history_file: Path) -> Snapshot:
    """The snapshot of that run. Frozen: a test changes a copy."""
    return collect(system, history_file)
