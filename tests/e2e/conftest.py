"""One pipeline a module: starting five processes costs seconds, and the tests keep apart by organisation."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.pipeline import Pipeline, Tenant
from tests.e2e.running import running_pipeline


@pytest.fixture(scope="module")
def pipeline(kafka: str, postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Every role, running, with the scripted generator and without rate limits."""
    folder: Path = tmp_path_factory.mktemp("pipeline")
    # Downloads work; nothing is rendered, which would take the processor from every other test.
    assets = {"CLONEPOST_ASSETS_FOLDER": str(folder / "assets"), "CLONEPOST_RENDER": "false"}
    with running_pipeline(kafka, postgres, folder, assets) as pipeline:
        yield pipeline


@pytest.fixture
def tenant(pipeline: Pipeline) -> Tenant:
    """An organisation of the test's own."""
    return pipeline.tenant()
