"""A short drill with every kind of fault that its seed draws, as CI and everybody else runs it."""

import json
import os
import signal
import subprocess
import sys
import uuid

import psutil
import pytest

from bench.drill.faults import KINDS


def drill(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "clonepost", "drill", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_nothing_is_lost_or_doubled_under_three_minutes_of_faults() -> None:
    # A seed that has nearly every kind, and in its last seconds none that takes long to come back from; a load that
    # leaves room for the tests beside it, so that what is behind at the end can be drained.
    done = drill("--minutes", "3", "--seed", "192", "--rate", "10", "--json")
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout
    assert found["ok"]
    assert [invariant["number"] for invariant in found["checker"]["invariants"] if not invariant["checked"]] == []
    assert found["command"] == "clonepost drill --minutes 3 --seed 192 --rate 10"
    assert found["kills"] > 0
    assert found["jobs"] > 300
    assert set(found["faults"]) == set(KINDS)
    assert sum(counts["applied"] > 0 for counts in found["faults"].values()) > 15


@pytest.mark.slow
def test_a_second_signal_ends_it_at_once_and_leaves_no_process() -> None:
    mark = uuid.uuid4().hex
    command = [sys.executable, "-m", "clonepost", "drill", "--minutes", "3", "--seed", "7"]
    with subprocess.Popen(command, env={**os.environ, "MARK": mark}, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "faults in" in line:
                break
        # The roles have been started, and the first one would let them work and be judged.
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
    assert process.returncode not in (0, -signal.SIGINT, -signal.SIGTERM)
    assert [one for one in psutil.process_iter() if _is_marked(one, mark)] == []


def _is_marked(process: psutil.Process, mark: str) -> bool:
    try:
        return process.environ().get("MARK") == mark
    except psutil.Error:
        return False


def test_an_unknown_fault_is_told() -> None:
    done = drill("--faults", "kill,earthquake")
    assert done.returncode == 1
    assert "there is no fault earthquake; there are kill, failpoint," in done.stderr
