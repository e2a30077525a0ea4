"""What counts as progress while a system drains."""

from bench.checker.drain import Progress
from bench.checker.tables import Unfinished


def test_whatever_gets_done_first_counts_though_it_makes_more_to_do() -> None:
    judging = [Unfinished(judged, running, unmarked, 0).left for judged, running, unmarked in ((5, 9, 1), (6, 10, 1))]
    ending = [Unfinished(6, running, unmarked, 0).left for running, unmarked in ((10, 1), (9, 2), (0, 2), (0, 1))]
    steps = [*judging, *ending]
    assert steps == sorted(steps, reverse=True)


def test_it_stands_still_since_there_was_last_less_than_ever_before() -> None:
    progress = Progress(100.0)
    assert progress.still_seconds((0, 5, 1), 101.0) == 1
    # Less, more, as little as before, and an answer that did not come.
    assert progress.still_seconds((0, 4, 1), 103.0) == 2
    assert progress.still_seconds((0, 6, 0), 105.0) == 2
    assert progress.still_seconds((0, 4, 1), 110.0) == 7
    assert progress.still_seconds((), 113.0) == 10
    assert progress.still_seconds((0, 3, 9), 114.0) == 11
    assert progress.still_seconds((0, 3, 9), 115.0) == 1
    assert (progress.longest_seconds, progress.took(115.0)) == (11, 15)
