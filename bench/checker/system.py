"""Where the system under check is. The checker makes its own connections; it imports nothing of the pipeline."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

REQUESTS: Final = "clone.requests"
REPLIES: Final = "clone.replies"
ADMISSIONS: Final = "clone.admissions"
VARIATION_RESULTS: Final = "clone.variation-results"
JOB_EVENTS: Final = "clone.job-events"
JOBS_COMPLETED: Final = "clone.jobs-completed"
DEAD_LETTERS: Final = "clone.dead-letters"

GROUPS: Final[Mapping[str, str]] = {"dedup": REQUESTS, "generate": ADMISSIONS, "project": VARIATION_RESULTS}
"""Each consuming stage and the topic that it reads."""


class Unreadable(RuntimeError):
    """Kafka or Postgres did not answer, or a topic could not be read to its end: nothing was judged."""


@dataclass(frozen=True, slots=True)
class System:
    """One running system.

    `kafka` has librdkafka settings with `bootstrap.servers`, `database_url` a postgresql:// URL. `reply_wait_seconds`
    is how long its API waits for a verdict (CLONEPOST_REPLY_WAIT_MS): no refusal may hide behind an earlier 202.
    """

    kafka: Mapping[str, str]
    database_url: str
    topic_prefix: str = ""
    reply_wait_seconds: float = 1.0

    def topic(self, name: str) -> str:
        """The full name of a topic."""
        return self.topic_prefix + name
