"""`clonepost check` reads the running system and says what it found, and its status says whether all is well."""

import json
import os
import subprocess
import sys
from typing import Any

import psycopg

from bench.checker import System
from tests.checker.conftest import Run


def check(system: System, *arguments: str) -> tuple[int, dict[int, Any]]:
    """The status, and the findings by invariant."""
    environment = {
        **os.environ,
        "DATABASE_URL": system.database_url,
        "KAFKA_BOOTSTRAP_SERVERS": system.kafka["bootstrap.servers"],
        "CLONEPOST_TOPIC_PREFIX": system.topic_prefix,
    }
    command = [sys.executable, "-m", "clonepost", "check", "--json", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return done.returncode, {found["number"]: found for found in json.loads(done.stdout)["invariants"]}


def test_a_good_system_passes(run: Run) -> None:
    status, findings = check(run.system, "--history", str(run.history))
    assert status == 0, findings
    assert all(found["checked"] and not found["broken"] for found in findings.values())


def test_without_a_history_what_clients_saw_is_not_judged(run: Run) -> None:
    status, findings = check(run.system)
    assert status == 0, findings
    assert [number for number, found in findings.items() if not found["checked"]] == [9]


def test_a_row_that_somebody_changed_is_named(run: Run) -> None:
    with psycopg.connect(run.system.database_url, autocommit=True) as connection:
        ((org,),) = connection.execute("SELECT min(org_id::text) FROM wallets")
        move = "UPDATE wallets SET available = available + %s WHERE org_id = %s"
        connection.execute(move, (1, org))
        try:
            status, findings = check(run.system, "--history", str(run.history))
        finally:
            connection.execute(move, (-1, org))
    assert status == 1
    assert {violation["where"] for violation in findings[4]["violations"]} == {f"wallets {org}"}
    assert not any(found["broken"] for number, found in findings.items() if number != 4)


def test_a_database_that_does_not_answer_is_no_verdict(run: Run) -> None:
    nowhere = "postgresql://user:hunter2@127.0.0.1:1/none"
    servers = run.system.kafka["bootstrap.servers"]
    environment = {**os.environ, "DATABASE_URL": nowhere, "KAFKA_BOOTSTRAP_SERVERS": servers}
    command = [sys.executable, "-m", "clonepost", "check", "--wait", "0"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the check was not made: postgres" in done.stderr
    assert "hunter2" not in done.stderr
