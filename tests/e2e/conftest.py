"""One pipeline a module: starting five processes costs seconds, and the tests keep apart by organisation."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.kafka_admin import KafkaAdmin
from schemas.topics import ALL_TOPICS
from storage.admin import create_database, drop_database
from tests.conftest import test_settings
from tests.e2e.pipeline import Pipeline, Tenant
from tests.servers import TEMPLATE, database_at


@pytest.fixture(scope="module")
def pipeline(kafka: str, postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Every role, running, with the scripted generator and without rate limits."""
    name = f"e2e_{uuid.uuid4().hex[:12]}"
    create_database(postgres, name, template=TEMPLATE)
    settings = test_settings(kafka, database_at(postgres, name), f"e{uuid.uuid4().hex[:8]}.")
    KafkaAdmin(settings).create_topics(ALL_TOPICS)
    folder: Path = tmp_path_factory.mktemp("pipeline")
    # Downloads work; nothing is rendered, which would take the processor from every other test.
    assets = {"CLONEPOST_ASSETS_FOLDER": str(folder / "assets"), "CLONEPOST_RENDER": "false"}
    pipeline = Pipeline(settings, folder, assets)
    try:
        pipeline.start()
        yield pipeline
    finally:
        pipeline.close()
        drop_database(postgres, name)


@pytest.fixture
def tenant(pipeline: Pipeline) -> Tenant:
    """An organisation of the test's own."""
    return pipeline.tenant()
