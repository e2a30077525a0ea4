"""11: nothing waits once faults are over, and no process has grown."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from bench.checker.facts import Facts
from bench.checker.history import Sampled
from bench.checker.report import Findings
from bench.checker.snapshot import Log
from bench.checker.system import GROUPS, JOBS_COMPLETED, REQUESTS

_LEAST_SAMPLES: Final = 16
_GROWTH: Final = 1.25
_SLACK_BYTES: Final = 32 * 1024 * 1024
# A relay that stood by and comes to lead makes a publisher: one more client of four threads. A leak goes on growing.
_SLACK_THREADS: Final = 2 + 4


def judge(facts: Facts, found: Findings) -> None:
    """Groups, checkpoints, the outbox, untold ends, how long it took, and sizes."""
    snapshot = facts.snapshot
    for stage, name in GROUPS.items():
        _at_end(found, snapshot.logs[name], snapshot.committed.get(stage, {}), f"group {stage}")
    for name, table, places in (
        (REQUESTS, "dedup_progress", snapshot.tables.dedup_progress),
        (JOBS_COMPLETED, "relay_checkpoints", snapshot.tables.relay_checkpoints),
    ):
        log = snapshot.logs[name]
        mine = {partition: offset for (topic_id, partition), offset in places.items() if topic_id == log.topic_id}
        _at_end(found, log, mine, table)
    for row in snapshot.tables.outbox:
        found.expect(row.published, f"outbox {row.event_id}", f"the event of job {row.job} is not marked published")
    for job in snapshot.tables.untold:
        found.expect(False, f"untold_ends {job}", "the end of the job still stands as untold")
    for number, drained in enumerate(snapshot.history.drained):
        found.expect(
            drained.seconds is not None and drained.still_seconds <= drained.within_seconds,
            f"history drained {number}",
            f"nothing got done for {drained.still_seconds:.0f} s, {drained.within_seconds:g} are allowed: "
            f"{drained.waiting_for or 'it went on then'}",
        )
    samples: dict[str, list[Sampled]] = defaultdict(list)
    for sample in snapshot.history.sampled:
        samples[sample.process].append(sample)
    for process, taken in samples.items():
        _flat(found, process, sorted(taken, key=lambda sample: sample.at))


def _at_end(found: Findings, log: Log, places: Mapping[int, int], what: str) -> None:
    last = {record.partition: record.offset for record in log.records}
    for partition, end in log.ends.items():
        at = places.get(partition, log.starts.get(partition, 0))
        # What may lie beyond is the marker of a transaction, which is no record.
        found.expect(last.get(partition, -1) < at <= end, f"{what} {log.name}/{partition}", f"stands at {at} of {end}")


def _flat(found: Findings, process: str, samples: list[Sampled]) -> None:
    """The last quarter of a life against its second: the first one is warming up."""
    quarter = len(samples) // 4
    if len(samples) < _LEAST_SAMPLES:
        found.notes["processes with too few samples to judge their size"] += 1
        return
    before, after = samples[quarter : 2 * quarter], samples[-quarter:]
    memory, threads = max(s.rss_bytes for s in before), max(s.threads for s in before)
    grown = max(s.rss_bytes for s in after)
    most = memory * _GROWTH + _SLACK_BYTES
    found.expect(grown <= most, f"process {process}", f"grew from {memory} to {grown} bytes")
    more = max(s.threads for s in after)
    found.expect(more <= threads + _SLACK_THREADS, f"process {process}", f"grew from {threads} to {more} threads")
