"""A process that is killed and armed freezes itself at its step, somebody is told, and it goes on after its time."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.drill.members import Member
from clonepost.localstack.child import Child
from tests.awaiting import eventually

_LIFE = """
import os, threading
from runtime import failpoint
failpoint.arm(os.environ.get("CLONEPOST_FAILPOINTS", ""))
failpoint.failpoint("dedup.committed")
print("passed", flush=True)
threading.Event().wait()
"""


@pytest.fixture
def member(tmp_path: Path) -> Iterator[Member]:
    child = Child("dedup", [sys.executable, "-c", _LIFE], log=tmp_path / "log", environment=os.environ)
    child.start()
    member = Member("dedup", child)
    eventually(lambda: _tended(member) == 1, what="its first life passes the step")
    yield member
    member.thaw()
    child.await_stop(0)


def _tended(member: Member) -> int:
    member.look()
    return _passed(member)


def _passed(member: Member) -> int:
    return member.child.log.read_text("utf-8").count("passed") if member.child.log.exists() else 0


def test_it_freezes_at_its_step_and_somebody_is_told_before_it_goes_on(member: Member) -> None:
    passed: list[int] = []
    member.kill_and_arm("dedup.committed=stop@1", 0.5, lambda: passed.append(_passed(member)))
    assert member.is_armed
    eventually(lambda: _tended(member) == 2, what="it goes on")
    assert passed == [1]
    assert not member.is_armed


def test_one_that_dies_before_its_step_is_armed_no_more(member: Member) -> None:
    member.kill_and_arm("relay.publish=stop@1", 0.5, lambda: pytest.fail("it has not come to its step"))
    eventually(lambda: _tended(member) == 2, what="its armed life begins")
    assert member.is_armed
    member.kill()
    eventually(lambda: _tended(member) == 3, what="the life after that begins")
    assert not member.is_armed
