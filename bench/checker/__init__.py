"""The independent checker: do topics, tables and what clients saw agree with the promises? It shares no code with them.

`history` is what clients write while they run; `check` reads a drained system and judges it with that history. Reading
(`collect`) and judging (`judge`) are apart, so that a snapshot can be changed and judged again: the checker's own test.
"""

from bench.checker.checking import check, collect, judge
from bench.checker.drain import wait_until_drained
from bench.checker.history import History, Recorder, read_history
from bench.checker.report import Report, Violation
from bench.checker.system import System, Unreadable

__all__ = [
    "History",
    "Recorder",
    "Report",
    "System",
    "Unreadable",
    "Violation",
    "check",
    "collect",
    "judge",
    "read_history",
    "wait_until_drained",
]
