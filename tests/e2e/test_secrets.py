"""Nothing secret and no payload leaves by a log, a metric, an error or a topic where it does not belong.

Everything that could carry one is planted, every way a request can go is gone, Postgres goes away in the middle, and
then all that the system has written down is searched.
"""

import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from runtime.publishing import Outgoing
from runtime.record import Record, header_pairs, raw_bytes
from runtime.settings import Settings
from schemas.topics import ALL_TOPICS, DEAD_LETTERS, REQUESTS
from tests.awaiting import eventually
from tests.e2e.pipeline import Pipeline, Tenant
from tests.servers import database_away

PASSWORD = "planted-password-9c1"
CAPTION = "planted caption 7f3"
SCRIPT = "planted script 2ab"
POISON = b"planted poison 4d8"
TRIED_KEY = "lp_test_nobody_plantedsecret5e6"


@pytest.fixture
def planted(settings: Settings, tmp_path: Path) -> Iterator[Pipeline]:
    """A system whose database's address carries a password."""
    url = settings.database_url.get_secret_value().replace("postgres@", f"postgres:{PASSWORD}@", 1)
    assert PASSWORD in url
    told = settings.model_copy(update={"database_url": SecretStr(url)})
    pipeline = Pipeline(told, tmp_path, {"CLONEPOST_LOG_FORMAT": "json", "CLONEPOST_LOG_LEVEL": "debug"})
    try:
        pipeline.start()
        yield pipeline
    finally:
        pipeline.close()


def test_logs_metrics_errors_and_topics_tell_no_secret_and_no_payload(
    planted: Pipeline, settings: Settings, postgres: str
) -> None:
    tenant = planted.tenant()
    errors = _every_way(planted, tenant)
    with database_away(postgres, settings.database_url.get_secret_value()):
        with planted.client(tenant) as client:
            errors.append(client.get("/v1/jobs").text)
            assert _ask(client, tenant, caption=CAPTION).status_code == 202
        eventually(lambda: "stage_stalled" in planted.log("dedup"), what="dedup notices the outage")
    with planted.client(tenant) as client:
        errors.append(client.get("/metrics").text)
    planted.stop()
    secret = tenant.api_key.rpartition("_")[2]
    written = {role: planted.log(role) for role in ("api", "dedup", "generate", "project", "relay")}
    assert all(written.values())
    for place, text in {**written, "errors and metrics": "\n".join(errors)}.items():
        for word in (PASSWORD, CAPTION, SCRIPT, POISON.decode(), secret, tenant.api_key, "plantedsecret5e6"):
            assert word not in text, f"{place} tells {word}"
    for topic in ALL_TOPICS:
        for record in planted.records(topic):
            _holds_no_secret(record, [PASSWORD, secret, "plantedsecret5e6"])
            if topic not in (REQUESTS, DEAD_LETTERS):
                _holds_no_secret(record, [CAPTION, SCRIPT])
    # The words were there to be found: where they belong, they are.
    assert any(CAPTION.encode() in (raw_bytes(record.value()) or b"") for record in planted.records(REQUESTS))
    assert any(raw_bytes(record.value()) == POISON for record in planted.records(DEAD_LETTERS))


def _every_way(pipeline: Pipeline, tenant: Tenant) -> list[str]:
    """A clone that completes, one that fails, refusals of each kind, poison. Returns what errors were answered."""
    texts = {"caption": CAPTION, "voiceOverScript": SCRIPT}
    with pipeline.client(tenant) as client:
        done = _ask(client, tenant, **texts)
        assert pipeline.ended(client, done.json()["jobId"])["status"] == "completed"
        failing = _ask(client, tenant, caption=f"@@generator fail=1 {CAPTION}")
        assert pipeline.ended(client, failing.json()["jobId"])["status"] == "failed"
        answers = [
            _ask(client, tenant, caption=CAPTION * 1_000),
            client.post(f"/v1/content/{uuid.uuid4()}/clone-from-post", content=f'{{"x": "{CAPTION}"'),
            client.post(
                f"/v1/content/{uuid.uuid4()}/clone-from-post",
                json=tenant.body(projectId=str(uuid.uuid4()), overrides=texts),
            ),
            client.get("/v1/jobs", headers={"X-Api-Key": TRIED_KEY}),
            client.get("/v1/jobs", headers={"X-Api-Key": "", "Authorization": f"Bearer {TRIED_KEY}"}),
        ]
    assert all(answer.status_code >= 400 for answer in answers)
    pipeline.publish([Outgoing(pipeline.topic(REQUESTS), b"key", POISON)])
    eventually(lambda: pipeline.records(DEAD_LETTERS), what="the poison is a dead letter")
    return [answer.text for answer in answers]


def _ask(client: httpx.Client, tenant: Tenant, **overrides: str) -> httpx.Response:
    return client.post(f"/v1/content/{uuid.uuid4()}/clone-from-post", json=tenant.body(overrides=overrides))


def _holds_no_secret(record: Record, words: list[str]) -> None:
    parts = [raw_bytes(record.key()), raw_bytes(record.value()), *(value for _, value in header_pairs(record))]
    for word in words:
        assert not any(word.encode() in part for part in parts if part is not None), f"{record.topic()} tells {word}"
