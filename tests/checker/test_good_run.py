"""A good run of real roles breaks nothing, and the checker has looked at all of it."""

from bench.checker import judge
from bench.checker.snapshot import Snapshot


def test_a_good_run_breaks_nothing(good: Snapshot) -> None:
    report = judge(good)
    print(report)
    report.raise_if_broken()
    assert all(findings.checked > 0 for findings in report.findings)
