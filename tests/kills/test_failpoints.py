"""Failpoints themselves: named once, off unless set, and what is set happens at that pass."""

import ast
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

from consumers.relay.protocol import Step
from runtime import failpoint
from runtime.settings import Settings

ROOT = Path(failpoint.__file__).parents[1]
PASSED_THROUGH_STEPS = [f"relay.{step.value}" for step in Step]


def passed_in_the_code() -> Counter[str]:
    """The name of every `failpoint("…")` call, with how often it is written."""
    found: Counter[str] = Counter()
    for room in ("producer", "consumers", "storage", "runtime", "clonepost"):
        for file in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "failpoint":
                    name = node.args[0]
                    if isinstance(name, ast.Constant):
                        found[str(name.value)] += 1
    return found


def test_every_failpoint_is_listed_and_stands_in_one_place() -> None:
    assert passed_in_the_code() + Counter(PASSED_THROUGH_STEPS) == Counter(dict.fromkeys(failpoint.NAMES, 1))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("dedup.comitted=kill", "there is no failpoint dedup.comitted"),
        ("dedup.committed=burn", "there is no action burn"),
        ("dedup.committed", "is not name=action"),
        ("dedup.committed=kill@0", "is not name=action"),
    ],
)
def test_a_bad_setting_is_told(text: str, complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Settings(failpoints=text)


def test_it_happens_at_that_pass_and_once() -> None:
    passes: list[str] = []
    with failpoint.armed("dedup.written", lambda: passes.append("armed"), at_pass=2):
        for number in range(4):
            passes.append(str(number))
            failpoint.failpoint("dedup.written")
            failpoint.failpoint("dedup.committed")
    failpoint.failpoint("dedup.written")
    assert passes == ["0", "1", "armed", "2", "3"]


def test_a_process_that_is_told_to_kills_itself_there() -> None:
    lines = "from runtime import failpoint; failpoint.arm('work.made=kill@2; work.begun=kill@9')\n"
    lines += "for number in range(5): print(number, flush=True); failpoint.failpoint('work.made')"
    victim = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=False, cwd=ROOT)
    assert victim.returncode == -signal.SIGKILL
    assert [line for line in victim.stdout.splitlines() if line.isdigit()] == ["0", "1"]
