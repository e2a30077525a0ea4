"""A pipeline whose processes the test starts and kills."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from runtime.settings import Settings
from tests.kills.forked import KilledPipeline

IMPATIENT: Final = {"CLONEPOST_LEASE_SECONDS": "2", "CLONEPOST_SWEEP_SECONDS": "0.3"}
"""Leases and sweeps at a pace at which a test sees many of them; everything else is as in production."""


@pytest.fixture
def pipeline(settings: Settings, tmp_path: Path) -> Iterator[KilledPipeline]:
    """No process runs yet."""
    pipeline = KilledPipeline(settings, tmp_path, IMPATIENT)
    yield pipeline
    pipeline.close()
