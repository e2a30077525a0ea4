"""The relay's protocol, step by step. Pure; each name is used by `relay` and by the model that proves the order safe.

    UNFENCED --FENCE--> (every earlier publisher is fenced, its transaction ended)
             --SCAN---> (the log is read from the checkpoints to its ends)
             --MARK---> FENCED     what was read is marked; only now is "unmarked" known to mean "not in the log"
    FENCED   --SELECT, PUBLISH, READ_BACK, MARK--> FENCED
    any error, or a commit slower than a second --> UNFENCED

Every step happens inside a transaction that holds the checkpoint rows. A zombie that lost its lock is fenced before
anyone trusts the log again.
"""

from enum import Enum
from typing import Final


class Trust(Enum):
    """Whether unmarked rows are known not to be in the log."""

    UNFENCED = "unfenced"
    FENCED = "fenced"


class Step(Enum):
    """Where a crash can happen."""

    LEAD = "lead"
    FENCE = "fence"
    SCAN = "scan"
    SELECT = "select"
    PUBLISH = "publish"
    READ_BACK = "read_back"
    MARK = "mark"
    COMMIT = "commit"


SLOW_COMMIT_SECONDS: Final = 1.0
"""A commit that takes longer may have been retried inside the client, and a retry may hit a later transaction."""


def steps(trust: Trust) -> tuple[Step, ...]:
    """The steps of one round, in order."""
    if trust is Trust.UNFENCED:
        return (Step.LEAD, Step.FENCE, Step.SCAN, Step.MARK, Step.COMMIT)
    return (Step.LEAD, Step.SELECT, Step.PUBLISH, Step.READ_BACK, Step.MARK, Step.COMMIT)


def trust_after_publish(commit_seconds: float) -> Trust:
    """Whether the publisher may be used again after a commit that took so long."""
    return Trust.FENCED if commit_seconds <= SLOW_COMMIT_SECONDS else Trust.UNFENCED
