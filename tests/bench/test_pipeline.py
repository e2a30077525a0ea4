"""The pipeline's benchmark as its users run it: every job counted, and the limit made of the same records and rows."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runtime.settings import Settings
from storage.connection import Database

JOBS, VARIATIONS, ROUNDS = 40, 3, 2


@pytest.fixture
def document(settings: Settings, tmp_path: Path) -> dict[str, Any]:
    """What the command prints for programs, on the session's servers."""
    environment = {
        **os.environ,
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "KAFKA_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "CLONEPOST_TOPIC_PREFIX": settings.topic_prefix,
    }
    command = [sys.executable, "-m", "clonepost", "bench", "pipeline", "--json", "--folder", str(tmp_path)]
    command += [f"--jobs={JOBS}", f"--variations={VARIATIONS}", f"--rounds={ROUNDS}", "--latency-requests=5"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_round_has_the_pipeline_beside_the_limit_of_its_own_bytes(
    document: dict[str, Any], database: Database
) -> None:
    assert len(document["rounds"]) == ROUNDS
    for measured in document["rounds"]:
        pipeline, raw = measured["pipeline"], measured["raw"]
        assert pipeline["jobs"] == raw["jobs"] == JOBS
        assert measured["ratio"] == pytest.approx(pipeline["jobs_per_second"] / raw["jobs_per_second"])
        rows = {"claims": 1, "jobs": 1, "variations": VARIATIONS, "credit_ledger": 2, "outbox": 1}
        assert pipeline["rows_per_job"] == rows
        assert pipeline["records_per_job"]["clone.requests"] == 1
        assert pipeline["records_per_job"]["clone.jobs-completed"] == 1
        for role in ("api", "dedup", "generate", "project", "relay"):
            assert len(pipeline["memory_mb"][role]) == 3
        assert sum(pipeline["cpu_ms_per_job"].values()) == pytest.approx(pipeline["cpu_ms_per_job_total"])
    latency = document["latency"]
    assert 0 < latency["answer_p50_ms"] < latency["event_p50_ms"] <= latency["event_p99_ms"]
    # The limit leaves nothing behind.
    with database.transaction() as connection:
        schemas = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'raw%%'").fetchall()
    assert schemas == []
