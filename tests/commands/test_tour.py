"""What the tour draws while a job runs: the stages that the API has named, and no other."""

from typing import Any

from rich.progress import Progress, TaskID

from clonepost.demo.tour import draw


def seen(stage: str, progress: float, status: str = "running") -> dict[str, Any]:
    return {"stage": stage, "progress": progress, "status": status}


def drawn(*envelopes: dict[str, Any]) -> list[tuple[str, float | None, float, str]]:
    """(stage, length, filled, note) of each bar after these answers."""
    bars, tasks = Progress(disable=True), dict[str, TaskID]()
    for envelope in envelopes:
        draw(bars, tasks, envelope)
    return [(task.description, task.total, task.completed, task.fields["note"]) for task in bars.tasks]


def test_a_stage_is_drawn_when_the_job_is_in_it() -> None:
    assert drawn(seen("queued", 0)) == [("queued", None, 0, "running")]
    assert drawn(seen("queued", 0), seen("generating", 0.25)) == [
        ("queued", 1.0, 1.0, ""),
        ("generating", 1.0, 0.25, "running"),
    ]


def test_a_quick_job_has_no_bar_for_what_it_was_never_seen_in() -> None:
    ended = seen("finalizing", 1.0, "completed")
    assert drawn(seen("queued", 0), ended) == [("queued", 1.0, 1.0, ""), ("finalizing", 1.0, 1.0, "completed")]
    assert [stage for stage, *_ in drawn(ended)] == ["finalizing"]


def test_rendering_is_drawn_once_something_renders() -> None:
    stages = [stage for stage, *_ in drawn(seen("generating", 0.5), seen("rendering", 0.5), seen("rendering", 0.75))]
    assert stages == ["generating", "rendering"]
