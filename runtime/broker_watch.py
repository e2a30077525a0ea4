"""Tells of a Kafka client that has lost every broker, for good and without a word.

A broker that was fenced (frozen past its session, say) can answer a question for metadata with topics and no brokers at
all. librdkafka then forgets every broker that it knows, and in a race calls its own way back off (its issue 5301, not
repaired in 2.16): from then on the client sends nothing, reads nothing and reports nothing. Only its statistics show
it. Seen with 2 of 40 clients that were given 418 such answers.
"""

import json
from typing import Any, Final

_REPORT_MS: Final = 5_000
_REPORTS: Final = 3
# Others are made up by the client: a group's coordinator, for one.
_REAL: Final = frozenset({"configured", "learned"})


class BrokerWatch:
    """Hears the statistics of one client: give `config()` to whatever makes it. Called by the client's polls."""

    def __init__(self) -> None:
        self._without = 0

    def config(self) -> dict[str, Any]:
        """Settings of the client that is watched."""
        return {"statistics.interval.ms": _REPORT_MS, "stats_cb": self}

    def __call__(self, statistics: str) -> None:
        """One report, as JSON."""
        brokers = json.loads(statistics)["brokers"].values()
        self._without = 0 if any(broker["source"] in _REAL for broker in brokers) else self._without + 1

    @property
    def lost(self) -> bool:
        """Whether only a new client will help: for 15 s no broker was known. One that is down is known."""
        return self._without >= _REPORTS
