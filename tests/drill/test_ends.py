"""Of a process that ended by itself, the report keeps what it said, and of its last life only what ended that."""

import json
from pathlib import Path

import pytest

from bench.drill.ends import Ends


def line(event: str, level: str = "info", **fields: object) -> str:
    return json.dumps({"event": event, "level": level, **fields}, sort_keys=True)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The log of a process; what is kept of it goes to the test's folder, too."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path / "dedup.log"


def test_the_end_of_its_log_is_kept_with_the_reason(log: Path) -> None:
    halted = line("role_halted", "error", reason="a reason")
    log.write_text("x" * 100_000 + "\n" + "\n".join([line("role_started"), halted, "Traceback", "last words"]))
    ends = Ends()
    ends.look("dedup", "70", log)
    (end,) = ends.found
    assert (end.process, end.how, end.reason) == ("dedup", "70", "role_halted: a reason")
    kept = Path(end.log).read_bytes()
    assert len(kept) == 64_000
    assert kept.endswith(b"last words")


def test_what_ended_an_earlier_life_is_no_reason(log: Path) -> None:
    log.write_text("\n".join([line("role_halted", "error", reason="old"), line("role_started"), "{cut off"]))
    ends = Ends()
    ends.add("dedup", "SIGKILL, 12 s after SIGTERM", log)
    assert [end.reason for end in ends.found] == [""]


@pytest.mark.parametrize(("said", "count"), [([], 0), ([line("work_left", "warning", where={"work": "a.py:1 b"})], 1)])
def test_one_that_ended_as_it_was_asked_is_told_of_only_if_it_left_its_work(
    log: Path, said: list[str], count: int
) -> None:
    log.write_text("\n".join([line("work_left", "warning"), line("role_started"), *said, line("role_stopped")]))
    ends = Ends()
    ends.look("dedup", "0", log)
    ends.look("dedup", "SIGKILL", log)
    assert [end.reason for end in ends.found] == ["work_left: a.py:1 b"] * count


def test_many_are_told_and_not_all_are_kept(log: Path) -> None:
    log.write_text(line("role_started"))
    ends = Ends()
    for _ in range(102):
        ends.look("dedup", "75", log)
    assert len(ends.found) == 102
    assert len(list(log.parent.glob("*/*.log"))) == 100
