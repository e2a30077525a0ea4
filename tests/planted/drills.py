"""With which drill each defect is looked for: one whose faults, as its seed draws them, meet the place that matters.

A drill knows nothing of defects. Which of its faults can show one is known, and a short drill has no room for the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class DrillOptions:
    """Options of `clonepost drill`."""

    minutes: float = 1.0
    seed: int = 25
    rate: float = 30.0
    faults: str = "all"

    def words(self) -> list[str]:
        """As one writes them."""
        return [
            f"--minutes={self.minutes:g}",
            f"--seed={self.seed}",
            f"--rate={self.rate:g}",
            f"--faults={self.faults}",
        ]


USUAL: Final = DrillOptions()

DRILLS: Final[Mapping[str, DrillOptions]] = {
    "seen before, so skipped: the admission is not published again": DrillOptions(
        seed=382, faults="failpoint,lost-commit"
    ),
    "offsets before the database": DrillOptions(seed=697, faults="delay,kill"),
    "a refusal is judged twice": DrillOptions(seed=382, faults="failpoint,lost-commit"),
    "settled twice": DrillOptions(faults="kill"),
    "a plain outbox: published, then marked, and never read back": DrillOptions(seed=15, faults="backends"),
    "a claim that raises no attempt": DrillOptions(faults="provider"),
    "the dead letter is dropped": DrillOptions(faults="kill"),
    "no fencing token: a result is not held against its attempt": DrillOptions(
        minutes=1.75, seed=263, faults="freeze,provider"
    ),
    "a transactional id for each process": DrillOptions(minutes=1.75, seed=51, faults="zombie"),
    "wallets are read and not locked": DrillOptions(seed=232, faults="delay"),
    "wallets are not locked: what was read is stale": DrillOptions(seed=232, faults="delay"),
    "check, then insert: nothing is locked, and the constraint is passed over": DrillOptions(seed=232, faults="delay"),
    "credits are settled behind the transaction that ends the job": DrillOptions(
        seed=382, faults="failpoint,lost-commit"
    ),
    "an end is forgotten before it is told": DrillOptions(minutes=1.25, seed=365, faults="failpoint,drop"),
    "published and not waited for": DrillOptions(seed=7, faults="delay,kill"),
    "the relay asks for what is newer than the last": DrillOptions(seed=33, faults="delay"),
    "wallets are locked in any order": DrillOptions(seed=232, rate=60, faults="delay"),
    "a lost worker is not counted": DrillOptions(seed=23, rate=20, faults="provider"),
    "an expired lease forbids its owner to finish": DrillOptions(minutes=1.5, rate=60, faults="late-worker"),
    "a place without its topic": DrillOptions(minutes=0.7, faults="kill,failpoint"),
    "the progress is moved before the decision": DrillOptions(minutes=0.7, faults="kill,failpoint"),
    "lost results are not announced again": DrillOptions(faults="results-lost,kill"),
    "a repeated wake-up repeats no event": DrillOptions(faults="results-lost,kill"),
    "ends that stay untold are not announced": DrillOptions(faults="results-lost,kill"),
    "an Idempotency-Key that never runs out": DrillOptions(rate=60, faults="day"),
    "202 without the broker's word": DrillOptions(minutes=1.5, seed=215, faults="drop,broker-freeze"),
}
"""By the defect's name; the others have the usual one."""
