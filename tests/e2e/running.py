"""A pipeline with a database and topics of its own, from its start to its end."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from storage.admin import create_database, drop_database
from tests.conftest import test_settings
from tests.e2e.pipeline import Pipeline
from tests.servers import TEMPLATE, database_at
from tests.topics import make_topics


@contextmanager
def running_pipeline(
    kafka: str, postgres: str, folder: Path, environment: Mapping[str, str], **settings: Any
) -> Iterator[Pipeline]:
    """Every role, running with this environment; `settings` are what the test's own clients have besides."""
    name = f"e2e_{uuid.uuid4().hex[:12]}"
    create_database(postgres, name, template=TEMPLATE)
    base = test_settings(kafka, database_at(postgres, name), f"e{uuid.uuid4().hex[:8]}.")
    make_topics(base)
    pipeline = Pipeline(base.model_copy(update=settings), folder, dict(environment))
    try:
        pipeline.start()
        yield pipeline
    finally:
        pipeline.close()
        drop_database(postgres, name)
