"""Read everything, judge everything."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.checker.facts import Facts
from bench.checker.history import History, read_history
from bench.checker.invariants import (
    answers,
    completions,
    decided,
    drained,
    endings,
    envelopes,
    money,
    poison,
    sightings,
    variations,
    winners,
)
from bench.checker.logs import committed_offsets, read_logs
from bench.checker.report import Findings, Report
from bench.checker.snapshot import Snapshot
from bench.checker.system import System
from bench.checker.tables import read_tables

_JUDGES: Final[dict[int, Callable[[Facts, Findings], None]]] = {
    1: endings.judge,
    2: winners.judge,
    3: answers.judge,
    4: money.judge,
    5: variations.judge,
    6: completions.judge_log,
    7: completions.judge_outbox,
    8: envelopes.judge,
    9: sightings.judge,
    10: poison.judge,
    11: drained.judge,
    12: decided.judge,
}


def check(system: System, history: History | Path) -> Report:
    """Read a system that has drained (`wait_until_drained`) and judge it. Raises Unreadable."""
    return judge(collect(system, history))


def collect(system: System, history: History | Path) -> Snapshot:
    """Read topics, groups and tables. Raises Unreadable."""
    seen = read_history(history) if isinstance(history, Path) else history
    whole = {read.job for read in seen.job_read if read.body}
    return Snapshot(
        history=seen,
        tables=read_tables(system.database_url, creatives_of=sorted(whole)),
        logs=read_logs(system),
        committed=committed_offsets(system),
        topic_prefix=system.topic_prefix,
        reply_wait_seconds=system.reply_wait_seconds,
    )


def judge(snapshot: Snapshot) -> Report:
    """Hold a snapshot against every invariant. Pure."""
    facts = Facts(snapshot)
    findings = []
    for number, judge_one in _JUDGES.items():
        found = Findings(number)
        judge_one(facts, found)
        findings.append(found)
    return Report(tuple(findings))
