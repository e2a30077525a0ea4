"""The checker can fail: what clients see of a job over time.

One thing is changed in the snapshot of a good run, and it is named. Each test says everything that must be found, so a
change that sets off another invariant's alarm fails too.
"""

import uuid
from dataclasses import replace
from typing import Any

from bench.checker.history import JobRead
from bench.checker.snapshot import Snapshot
from tests.checker.tampering import (
    and_seen,
    broken,
)

# 9: nothing goes back


def _read_later(read: JobRead, **fields: Any) -> JobRead:
    return replace(read, started_at=read.ended_at + 1, ended_at=read.ended_at + 2, body="", **fields)


def _ended_read(snapshot: Snapshot) -> tuple[int, JobRead]:
    ended = [(n, r) for n, r in enumerate(snapshot.history.job_read) if r.job_status == "completed"]
    return max(ended, key=lambda one: one[1].ended_at)


def test_9_an_older_version(good: Snapshot) -> None:
    before, read = _ended_read(good)
    number = len(good.history.job_read)
    older = _read_later(read, etag='"running-1"', job_status="running", stage="queued", progress=0.0)
    assert broken(and_seen(good, older)) == {9: [f"history job_read {number} (job {read.job}) after {before}"]}


def test_9_an_end_that_changed(good: Snapshot) -> None:
    before, read = _ended_read(good)
    number = len(good.history.job_read)
    version = int((read.etag or "").strip('"').rpartition("-")[2]) + 1
    other = _read_later(read, etag=f'"failed-{version}"', job_status="failed")
    assert broken(and_seen(good, other)) == {9: [f"history job_read {number} (job {read.job}) after {before}"]}


def test_9_progress_that_fell(good: Snapshot) -> None:
    _, read = _ended_read(good)
    number, job = len(good.history.job_read), str(uuid.uuid4())
    earlier = replace(read, job=job, etag='"running-3"', job_status="running", stage="generating", body="")
    earlier = replace(earlier, progress=0.6)
    later = _read_later(earlier, etag='"running-4"', progress=0.3)
    found = broken(and_seen(good, earlier, later))
    assert found == {9: [f"history job_read {number + 1} (job {job}) after {number}"]}


def test_9_a_job_that_is_not_found_after_its_202(good: Snapshot) -> None:
    _, read = _ended_read(good)
    number = len(good.history.job_read)
    gone = _read_later(read, status=404, etag=None, job_status=None)
    assert broken(and_seen(good, gone)) == {9: [f"history job_read {number} (job {read.job})"]}


def test_9_a_refusal_may_give_way_and_never_comes_back(good: Snapshot) -> None:
    _, read = _ended_read(good)
    number, job = len(good.history.job_read), str(uuid.uuid4())
    refused = replace(read, job=job, etag='"refused-1"', job_status="failed", stage="queued", progress=0.0, body="")
    running = _read_later(refused, etag='"running-1"', job_status="running")
    assert broken(and_seen(good, refused, running)) == {}
    again = _read_later(running, etag='"refused-2"', job_status="failed")
    found = broken(and_seen(good, refused, running, again))
    assert found == {9: [f"history job_read {number + 2} (job {job}) after {number + 1}"]}
