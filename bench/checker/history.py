"""What clients did and what they saw: the one witness that the pipeline cannot write.

A history is a JSONL file, one entry a line, appended while clients run. Times are seconds of one monotonic clock (of
one machine), so that two entries can be ordered: A came before B when A.ended_at <= B.started_at. Ids are lower-case
UUID text, as the client computed them (`bench.checker.identity`), never as the answer gave them.
"""

import dataclasses
import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Final, Literal, get_args

now_seconds: Final = time.monotonic
"""The clock of every entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """One POST …/clone-from-post, one entry an attempt. `status` is None when no answer came."""

    entry: ClassVar[str] = "posted"
    org: str
    container: str
    job: str
    started_at: float
    ended_at: float
    status: int | None
    body: str = ""
    """The bytes of the answer, decoded as UTF-8 with surrogateescape: byte for byte the same exactly when equal."""
    request_id: str | None = None
    """The X-Request-Id of the answer: it is the ce_id of the record in clone.requests."""
    location: str | None = None
    replayed: bool = False
    """The answer carried `Idempotent-Replayed: true`."""
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Canceled:
    """One POST /v1/jobs/{job}/cancel."""

    entry: ClassVar[str] = "canceled"
    org: str
    job: str
    started_at: float
    ended_at: float
    status: int | None
    body: str = ""
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRead:
    """One GET /v1/jobs/{job}, or one event of its stream. `body` may be left out ("") to keep a long history small."""

    entry: ClassVar[str] = "job_read"
    org: str
    job: str
    started_at: float
    ended_at: float
    status: int | None
    etag: str | None = None
    job_status: str | None = None
    stage: str | None = None
    progress: float | None = None
    body: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditsRead:
    """One GET /v1/credits that was answered with 200."""

    entry: ClassVar[str] = "credits_read"
    org: str
    balance: int
    available: int
    reserved: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Produced:
    """One record written straight to Kafka, and what its delivery report said. `topic` is the full name.

    `partition` and `offset` are None when the broker did not acknowledge: the record may be in the log or not.
    """

    entry: ClassVar[str] = "produced"
    what: Literal["clone", "cancel", "poison"]
    topic: str
    partition: int | None
    offset: int | None
    started_at: float
    ended_at: float
    org: str | None = None
    container: str | None = None
    job: str | None = None
    key_hex: str | None = None
    value_hex: str | None = None
    """Key and value of a poison record, to be found unchanged in the dead letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRead:
    """A record of clone.jobs-completed as a live analyst saw it, read_committed, while faults happened."""

    entry: ClassVar[str] = "completion_read"
    reader: str
    partition: int
    offset: int
    event_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysAged:
    """The Idempotency-Keys that ran out at one moment of the database's clock, as `organisation key`.

    Not `certain`: nobody knows whether they did, so nothing is expected of them any more.
    """

    entry: ClassVar[str] = "keys_aged"
    at_ms: int
    keys: list[str]
    certain: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsDeleted:
    """A topic's records are about to be deleted, read or not. A broker that dies uncleanly may bring them back."""

    entry: ClassVar[str] = "records_deleted"
    topic: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkersKept:
    """No worker was lost in the whole run: none was killed, or cut off from the database."""

    entry: ClassVar[str] = "workers_kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """After the last fault the system was waited for. `seconds` is None when it did not drain.

    `still_seconds` is the longest time in which nothing got done; it may be `within_seconds`.
    """

    entry: ClassVar[str] = "drained"
    seconds: float | None
    within_seconds: float
    still_seconds: float = 0.0
    waiting_for: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """The size of one process at one moment; `process` names one life of one role (role and pid)."""

    entry: ClassVar[str] = "sampled"
    process: str
    at: float
    rss_bytes: int
    threads: int


Entry = (
    Posted
    | Canceled
    | JobRead
    | CreditsRead
    | Produced
    | CompletionRead
    | KeysAged
    | RecordsDeleted
    | WorkersKept
    | Drained
    | Sampled
)
_BY_NAME: Final[dict[str, Any]] = {kind.entry: kind for kind in get_args(Entry)}


@dataclass(slots=True)
class History:
    """The entries of a run by kind, in the order in which they were written."""

    posted: list[Posted] = field(default_factory=list)
    canceled: list[Canceled] = field(default_factory=list)
    job_read: list[JobRead] = field(default_factory=list)
    credits_read: list[CreditsRead] = field(default_factory=list)
    produced: list[Produced] = field(default_factory=list)
    completion_read: list[CompletionRead] = field(default_factory=list)
    keys_aged: list[KeysAged] = field(default_factory=list)
    records_deleted: list[RecordsDeleted] = field(default_factory=list)
    workers_kept: list[WorkersKept] = field(default_factory=list)
    drained: list[Drained] = field(default_factory=list)
    sampled: list[Sampled] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        """Append one entry."""
        getattr(self, entry.entry).append(entry)


class Recorder:
    """Appends entries to a file, whatever thread they come from. A line is whole or missing, also after a SIGKILL."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="ascii", buffering=1)
        self._turn = threading.Lock()

    def add(self, entry: Entry) -> None:
        """Write one entry."""
        fields = {name: value for name, value in _fields(entry) if value is not None}
        line = json.dumps({"entry": entry.entry, **fields}, separators=(",", ":")) + "\n"
        with self._turn:
            self._file.write(line)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.close()


def read_history(path: Path) -> History:
    """Read a file that a Recorder wrote. Raises ValueError, naming the line, for anything else."""
    history = History()
    with path.open(encoding="ascii") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                history.add(_parse(line))
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{path} line {number} is no entry of a history: {error}") from error
    return history


def _parse(line: str) -> Entry:
    fields = json.loads(line)
    kind = _BY_NAME[fields.pop("entry")]
    optional = {f.name: None for f in dataclasses.fields(kind) if f.default is dataclasses.MISSING}
    for name in ("org", "container", "job", "event_id"):
        if fields.get(name) is not None:
            # The same few ids stand in a dozen entries and rows each: one object for all keeps 100,000 jobs small.
            fields[name] = sys.intern(fields[name])
    entry: Entry = kind(**(optional | fields))
    return entry


def _fields(entry: Entry) -> Iterator[tuple[str, Any]]:
    for name in entry.__slots__:
        yield name, getattr(entry, name)
