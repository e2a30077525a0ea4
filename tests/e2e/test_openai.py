"""The whole pipeline with CLONEPOST_GENERATOR=openai: what a partner sees of a provider's good and bad answers."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from consumers.generation.generators import Order
from schemas.canonical import job_id
from schemas.ids import JobId, variation_id
from schemas.topics import JOBS_COMPLETED
from storage.connection import Database
from storage.material import material
from tests.awaiting import eventually
from tests.e2e.pipeline import Pipeline
from tests.e2e.running import running_pipeline
from tests.generation.openai_world import KEY
from tests.generation.provider_server import (
    Asked,
    Reply,
    ScriptedProvider,
    completion,
    good_words,
    replies,
    scripted_provider,
)

VARIATIONS: Final = 3


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    """A provider that refuses everything until the test gives it a script."""
    with scripted_provider(lambda asked: Reply(500)) as server:
        yield server


@pytest.fixture
def pipeline(kafka: str, postgres: str, tmp_path: Path, provider: ScriptedProvider) -> Iterator[Pipeline]:
    """Every role, generating with the provider's model."""
    environment = {
        "CLONEPOST_GENERATOR": "openai",
        "CLONEPOST_OPENAI_BASE_URL": provider.base_url,
        "CLONEPOST_OPENAI_API_KEY": KEY,
        "CLONEPOST_OPENAI_MODEL": "asked-model",
        "CLONEPOST_OPENAI_INPUT_USD_PER_MILLION": "2",
        "CLONEPOST_OPENAI_OUTPUT_USD_PER_MILLION": "10",
        "CLONEPOST_LOG_LEVEL": "debug",
        "OPENAI_LOG": "debug",
    }
    with running_pipeline(kafka, postgres, tmp_path, environment) as pipeline:
        yield pipeline


@pytest.mark.slow
def test_a_job_with_a_good_a_late_and_a_hopeless_variation(pipeline: Pipeline, provider: ScriptedProvider) -> None:
    tenant, container = pipeline.tenant(), uuid.uuid4()
    job = JobId(job_id(tenant.request(container, variations=VARIATIONS)))
    late: list[Asked] = []

    def write(asked: Asked) -> Reply:
        index = next(index for index in range(VARIATIONS) if variation_id(job, index) == asked.variation_id)
        if index == 1 and not late:
            late.append(asked)
            return Reply(429, headers={"Retry-After": "1"})
        if index == 2:
            return completion(f"I will not do that. My key is {KEY}.")
        database = Database(pipeline.settings.database_url.get_secret_value(), application_name="test-provider")
        try:
            with database.transaction() as connection:
                found = material(connection, [job])[job]
        finally:
            database.close()
        return completion(json.dumps(good_words(Order(str(job), index, 1, found))))

    provider.script = replies(write)
    with pipeline.client(tenant) as client:
        posted = client.post(f"/v1/content/{container}/clone-from-post", json=tenant.body(variations=VARIATIONS))
        assert posted.status_code == 202, posted.text
        envelope = pipeline.ended(client, posted.json()["jobId"])
        content = client.get(f"/v1/content/{container}").json()
    assert envelope["status"] == "completed", envelope
    assert envelope["result"]["counts"]["completed"] == VARIATIONS
    first, second, third = (variation["provenance"] for variation in content["variations"])
    assert (first["generator"], first["model"]) == ("openai/1", "served-model")
    assert (second["generator"], second["attempts"]) == ("openai/1", 2)
    assert third["generator"] == "embedded/4"
    assert (third["fallbackFrom"]["generator"], third["fallbackFrom"]["code"]) == ("openai/1", "PROVIDER_ERROR")
    for provenance in (first, second, third):
        assert provenance["tokens"]["calls"] >= 1
        assert provenance["costUsd"] > 0
    (event,) = eventually(
        lambda: [record for _, record in pipeline.events(JOBS_COMPLETED, jobId=str(job))], what="the job's event"
    )
    assert event["variationsSucceeded"] == VARIATIONS
    _hold_that_nothing_leaks(pipeline, [content, envelope, event])


def _hold_that_nothing_leaks(pipeline: Pipeline, shown: list[object]) -> None:
    kept = pipeline.rows("SELECT row_to_json(v)::text FROM variations v")
    assert KEY not in json.dumps([shown, kept])
    for name in ("api", "dedup", "generate", "project", "relay"):
        log = pipeline.log(name)
        assert KEY not in log
        assert "I hated my shelf" not in log
    assert "provider_error" in pipeline.log("generate")
