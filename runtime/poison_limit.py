"""Stops a stage that meets too much poison: then the stage is at fault, or its writer, and a person must look.

Counted over the stage's last records. The stage halts before it publishes the batch that went over the limit or commits
its offsets, so nothing is lost: with a higher limit, or a reader that is mended, it goes on at that batch.
"""

from collections import deque
from typing import Final

from runtime.errors import Fatal

_WINDOW_RECORDS: Final = 10_000


class PoisonLimit:
    """The share of poison among one stage's last 10,000 records or so. Not thread-safe."""

    def __init__(self, stage: str, *, count: int, share: float) -> None:
        """Both must be reached: `count` poison records, and `share` (0 to 1) of all."""
        self._stage = stage
        self._count = count
        self._share = share
        self._batches: deque[tuple[int, int]] = deque()
        self._poison = 0
        self._records = 0

    def check(self, poison: int, records: int) -> None:
        """Before anything of a batch is published. Raises Fatal when it goes over the limit."""
        total, of = self._poison + poison, self._records + records
        if poison and total >= self._count and total >= self._share * of:
            raise Fatal(
                f"{total} of the last {of} records of stage {self._stage} are poison. Nothing is lost: their offsets "
                f"are not committed. `clonepost dlq list --stage {self._stage}` shows those before them. Stop their "
                "writer or mend the reader; to dead-letter them all, restart with a higher CLONEPOST_POISON_LIMIT_COUNT"
            )

    def passed(self, poison: int, records: int) -> None:
        """After a batch is handled to its end."""
        self._batches.append((poison, records))
        self._poison += poison
        self._records += records
        while self._records - self._batches[0][1] > _WINDOW_RECORDS:
            old_poison, old_records = self._batches.popleft()
            self._poison -= old_poison
            self._records -= old_records
