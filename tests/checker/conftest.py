"""One good run a session: every role, a load of every kind; then a snapshot that tests change and judge again."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.checker import Recorder, System, collect, wait_until_drained
from bench.checker.snapshot import Snapshot
from bench.load import Analyst, Load, make_tenants, plan, reference_lines
from storage import keys, reference
from storage.admin import create_database, drop_database
from tests.conftest import test_settings
from tests.e2e.pipeline import Pipeline
from tests.servers import TEMPLATE, database_at
from tests.topics import make_topics

SEED = 11
OPERATIONS = 300


@dataclass(frozen=True, slots=True)
class Run:
    """A system that has drained, and what its clients saw."""

    system: System
    history: Path


@pytest.fixture(scope="session")
def run(kafka: str, postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The load has run, every role has stopped; topics and tables are as they left them."""
    name = f"checker_{uuid.uuid4().hex[:12]}"
    create_database(postgres, name, template=TEMPLATE)
    settings = test_settings(kafka, database_at(postgres, name), f"c{uuid.uuid4().hex[:8]}.")
    make_topics(settings)
    folder: Path = tmp_path_factory.mktemp("checker")
    system = System(settings.kafka, settings.database_url.get_secret_value(), settings.topic_prefix)
    pipeline = Pipeline(settings, folder)
    try:
        pipeline.start()
        _load(pipeline, system, folder / "history.jsonl")
    finally:
        pipeline.close()
    yield Run(system, folder / "history.jsonl")
    drop_database(postgres, name)


@pytest.fixture(scope="session")
def good(run: Run) -> Snapshot:
    """The snapshot of that run. Frozen: a test changes a copy."""
    return collect(run.system, run.history)


def _load(pipeline: Pipeline, system: System, file: Path) -> None:
    tenants = make_tenants(seed=SEED)
    with pipeline.database.transaction() as connection:
        reference.import_lines(connection, reference_lines(tenants))
        for tenant in tenants:
            org = uuid.UUID(tenant.org)
            _, tenant.api_key = keys.create(connection, org, scopes=["*"], tier="partner", environment="test")
    for tenant in tenants:
        pipeline.await_key(tenant.api_key)
    operations = plan(tenants, seed=SEED, operations=OPERATIONS)
    with (
        Recorder(file) as recorder,
        Analyst(system, recorder),
        Load(system, [pipeline.address], tenants, recorder) as load,
    ):
        load.run(operations)
        load.follow(operations)
        recorder.add(wait_until_drained(system))
