"""Everything that a check looks at, as plain values: whoever holds a Snapshot can change one thing and check again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.checker.history import History

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One record as it lies in a topic. Only headers that mean something to the checker are kept."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()

    def header(self, name: str) -> str | None:
        """The last value of a header."""
        found = None
        for key, value in self.headers:
            if key == name:
                found = value
        return None if found is None else found.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Log:
    """A topic, read committed from its first record to its end. `name` is without the prefix."""

    name: str
    topic_id: str
    starts: Mapping[int, int]
    ends: Mapping[int, int]
    records: Sequence[LogRecord]

    @property
    def whole(self) -> bool:
        """Whether nothing has been deleted from its beginning."""
        return not any(self.starts.values())


@dataclass(frozen=True, slots=True)
class Claim:
    """A row of claims, with what its layer and source post say."""

    org: str
    container: str
    job: str
    project: str
    layer: str
    layer_format: str
    source_post: str
    source_platform: str
    mode: str
    variations: int
    price: int
    ordinal: int
    requested_by: str
    requested_at_ms: int
    accepted_at_ms: int
    deadline_at_ms: int
    topic_id: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row of refusals. `details` is JSON text."""

    topic_id: str
    partition: int
    offset: int
    kind: str
    org: str | None
    container: str
    job: str
    project: str | None
    code: str
    message: str
    details: str | None
    refused_at_ms: int


@dataclass(frozen=True, slots=True)
class Cancellation:
    """A row of cancellations."""

    job: str
    org: str
    container: str
    topic_id: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Job:
    """A row of jobs."""

    job: str
    org: str
    status: str
    stage: str
    progress: float
    version: int
    finished_at_ms: int | None
    succeeded: int
    failed: int
    canceled: int
    charged: int | None
    error_code: str | None
    error_message: str | None
    completion_event_id: str | None


@dataclass(frozen=True, slots=True)
class Variation:
    """A row of variations. `written_by` is the attempt that its result says it came from, None without a result."""

    job: str
    index: int
    org: str
    state: str
    attempt: int
    losses: int
    retries: int
    finished_at_ms: int | None
    hook_shape: str | None
    visual_format: str | None
    duration_ms: int | None
    error_code: str | None
    error_message: str | None
    generator: str | None
    written_by: int | None


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A row of credit_ledger; `job` is the grant's id where `kind` is grant."""

    job: str
    kind: str
    org: str
    available: int
    reserved: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Grant:
    """A row of credit_grants."""

    grant: str
    org: str
    amount: int


@dataclass(frozen=True, slots=True)
class Wallet:
    """A row of wallets."""

    org: str
    available: int
    reserved: int
    running_jobs: int


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A row of outbox."""

    event_id: str
    job: str
    key: str
    value: bytes
    partition: int
    published: bool
    offset: int | None


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A row of idempotency_keys."""

    org: str
    key: str
    job: str


@dataclass(frozen=True, slots=True)
class Tables:
    """Every table that matters, read in one transaction. Progress and checkpoints: (topic id, partition) to offset."""

    claims: Sequence[Claim]
    refusals: Sequence[Refusal]
    cancellations: Sequence[Cancellation]
    jobs: Sequence[Job]
    variations: Sequence[Variation]
    ledger: Sequence[LedgerEntry]
    grants: Sequence[Grant]
    wallets: Sequence[Wallet]
    outbox: Sequence[OutboxRow]
    idempotency_keys: Sequence[IdempotencyKey]
    untold: Sequence[str]
    """Jobs that have ended and may not be told of."""
    dedup_progress: Mapping[tuple[str, int], int]
    relay_checkpoints: Mapping[tuple[str, int], int]
    creatives: Mapping[tuple[str, int], Mapping[str, Any]]
    """By job and index, for the jobs whose envelopes the history has whole."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One system at one moment, after it has drained, and the history that led there.

    `committed` has for each stage the offsets that its group committed; `logs` are by topic name without prefix.
    """

    history: History
    logs: Mapping[str, Log]
    tables: Tables
    committed: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    topic_prefix: str = ""
    reply_wait_seconds: float = 1.0

    def prefixed(self, name: str) -> str:
        """The full name of a topic."""
        return self.topic_prefix + name
