"""What is wrong with a job that should have moved by now. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from storage.sweeping import RunningJob


@dataclass(slots=True)
class Repairs:
    """Jobs by what they need. A late job that lacks rows is in two lists: they are added first, then they fail."""

    cancel: list[RunningJob] = field(default_factory=list)
    """A cancel was accepted and its CloneCanceled had no effect."""
    add_missing: list[RunningJob] = field(default_factory=list)
    """The CloneAccepted had no effect."""
    fail_late: list[RunningJob] = field(default_factory=list)
    """The deadline has passed."""
    announce: list[RunningJob] = field(default_factory=list)
    """Every variation has ended and the projector does not know."""


def diagnose(jobs: Sequence[RunningJob]) -> Repairs:
    """Sort jobs by the repairs that they need; most need none."""
    repairs = Repairs()
    for job in jobs:
        if job.ended >= job.requested:
            if job.quiet:
                repairs.announce.append(job)
        elif job.canceled:
            # Whatever else is wrong, the cancel ends it; until it is overdue the fan-out does so.
            if job.cancel_overdue:
                repairs.cancel.append(job)
        else:
            if job.rows < job.requested:
                repairs.add_missing.append(job)
            if job.late:
                repairs.fail_late.append(job)
    return repairs
