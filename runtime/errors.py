"""The three kinds of failure, and what each means to a batch loop.

Retryable: the world's fault; the same work is tried again, for ever, and nothing is dead-lettered.
Poison: the record's own fault; it becomes one dead letter and its neighbours go on.
Fatal: going on would break a promise; the process stops loudly and is restarted by its supervisor.
"""


class ClonepostError(Exception):
    """An expected failure; its text names what happened, with identifiers and without payload."""


class Retryable(ClonepostError):
    """Nothing is wrong with the work: try the same again after a pause."""


class DatabaseUnavailable(Retryable):
    """Postgres did not answer, or took the transaction back (deadlock, serialization, shutdown)."""


class BrokerUnavailable(Retryable):
    """Kafka did not acknowledge. What was produced may or may not be in the log; producing it again is safe."""


class RegistryUnavailable(Retryable):
    """The schema registry did not answer. Records whose ids are known go on without it."""


class ConstraintViolated(Retryable):
    """Another writer was faster. Read again and decide again."""

    def __init__(self, constraint: str) -> None:
        super().__init__(f"constraint {constraint} was violated by a concurrent writer")
        self.constraint = constraint


class Poison(ClonepostError):
    """A record that can never be processed. `reason` is a stable machine word, `detail` says what was found."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Fatal(ClonepostError):
    """Going on could lose or double something. Stop, loudly, and say what an operator should do."""
