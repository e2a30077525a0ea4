"""What holds for every role's process whatever its work does: it ends in time once it is asked to."""

import json
import subprocess
import sys

import pytest

from clonepost.run import process

DEAF = """
import os, signal, threading
from clonepost.run import process
from runtime.settings import Settings
process.STOP_SECONDS = 0.2
with process.role_process("deaf", Settings(log_format="json")):
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait()
"""

WAITING = """
import os, signal
from clonepost.run import process
from confluent_kafka import Producer
process.IN_HAND_SECONDS = 0.2

def work(settings, stopping):
    producer = Producer({"bootstrap.servers": "127.0.0.1:1", "transactional.id": "nobody", "log_level": 0})
    os.kill(os.getpid(), signal.SIGTERM)
    # Ten minutes in a call that hears no signal.
    producer.init_transactions(600)

process.run_role("waiting", work)
"""


def test_a_role_that_does_not_stop_ends_itself_and_says_what_it_waited_for() -> None:
    ended = subprocess.run([sys.executable, "-c", DEAF], capture_output=True, text=True, check=False)
    assert ended.returncode == process.EXIT_STOPPED_LATE
    (said,) = [json.loads(line) for line in ended.stderr.splitlines() if "role_stopped_late" in line]
    assert (said["level"], said["role"], said["seconds"]) == ("error", "deaf", 0.2)
    assert "MainThread" in said["where"]


def test_one_that_stops_is_left_alone() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", DEAF.replace("threading.Event().wait()", "pass")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0
    assert "role_stopped" in ended.stderr
    assert "role_stopped_late" not in ended.stderr


def test_one_that_waits_for_a_broker_that_is_away_leaves_and_says_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLONEPOST_LOG_FORMAT", "json")
    ended = subprocess.run([sys.executable, "-c", WAITING], capture_output=True, text=True, check=False)
    assert ended.returncode == 0
    (said,) = [json.loads(line) for line in ended.stderr.splitlines() if "work_left" in line]
    assert said["where"]["work"].startswith("<string>:11 work < ")
    assert "role_stopped" in ended.stderr
    assert "role_stopped_late" not in ended.stderr
