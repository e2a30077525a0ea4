"""9: what clients see of a job never goes back, whichever client and API process: status, stage, progress, version.

The one exception: a refusal that was shown as a failed job (its ETag says so) gives way when the same request is
accepted later. It never comes back after that.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from bench.checker.facts import Facts
from bench.checker.history import JobRead
from bench.checker.report import Findings

_STAGES: Final = ("queued", "analyzing_source", "generating", "rendering", "finalizing")
_TERMINAL: Final = frozenset({"completed", "failed", "canceled"})


@dataclass(frozen=True, slots=True)
class _Seen:
    number: int
    read: JobRead
    rank: tuple[bool, int]
    """Accepted or not, then the version."""


def judge(facts: Facts, found: Findings) -> None:
    """Job by job."""
    acknowledged: dict[tuple[str, str], float] = {}
    for posted in facts.snapshot.history.posted:
        if posted.status == 202:
            key = posted.org, posted.job
            acknowledged[key] = min(posted.ended_at, acknowledged.get(key, posted.ended_at))
    reads: dict[tuple[str, str], list[tuple[int, JobRead]]] = defaultdict(list)
    for number, read in enumerate(facts.snapshot.history.job_read):
        reads[read.org, read.job].append((number, read))
    for key, seen in reads.items():
        _is_there(found, seen, acknowledged.get(key))
        _never_back(found, [_Seen(n, read, _rank(read)) for n, read in seen if read.status == 200 and read.etag])


def _is_there(found: Findings, reads: Iterable[tuple[int, JobRead]], since: float | None) -> None:
    """A job can be read as soon as the 202 is out, and once seen it stays."""
    seen_at = since
    for number, read in sorted(reads, key=lambda one: one[1].ended_at):
        if read.status == 404:
            fine = seen_at is None or read.started_at < seen_at
            found.expect(fine, _where(number, read), "404 after a 202 or a 200 for this job")
        elif read.status == 200 and seen_at is None:
            seen_at = read.ended_at


def _never_back(found: Findings, reads: list[_Seen]) -> None:
    # By the end of one and the start of the next: only reads that do not overlap have an order.
    ended = sorted(reads, key=lambda seen: seen.read.ended_at)
    newest: _Seen | None = None
    position = 0
    for later in sorted(reads, key=lambda seen: seen.read.started_at):
        while position < len(ended) and ended[position].read.ended_at <= later.read.started_at:
            if newest is None or ended[position].rank > newest.rank:
                newest = ended[position]
            position += 1
        if newest is not None:
            _in_order(found, newest, later)


def _in_order(found: Findings, earlier: _Seen, later: _Seen) -> None:
    before, after = earlier.read, later.read
    where = f"{_where(later.number, after)} after {earlier.number}"
    if not found.expect(later.rank >= earlier.rank, where, f"{before.etag} became {after.etag}"):
        return
    if not earlier.rank[0]:
        return
    if before.job_status in _TERMINAL or later.rank == earlier.rank:
        same = (before.etag, before.job_status, before.stage, before.progress) == (
            after.etag,
            after.job_status,
            after.stage,
            after.progress,
        )
        bodies = not before.body or not after.body or before.body == after.body
        found.expect(
            same and bodies, where, f"{before.etag} {before.job_status} changed to {after.etag} {after.job_status}"
        )
        return
    rises = _stage(after) >= _stage(before) and (after.progress or 0.0) >= (before.progress or 0.0)
    found.expect(rises, where, f"{before.stage} {before.progress} became {after.stage} {after.progress}")


def _rank(read: JobRead) -> tuple[bool, int]:
    # "completed-7" is version 7 of an accepted job, "refused-1795000000000" the time of a refusal.
    kind, _, number = (read.etag or "").strip('"').partition("-")
    return kind != "refused", int(number) if number.isdigit() else 0


def _stage(read: JobRead) -> int:
    return _STAGES.index(read.stage) if read.stage in _STAGES else -1


def _where(number: int, read: JobRead) -> str:
    return f"history job_read {number} (job {read.job})"
