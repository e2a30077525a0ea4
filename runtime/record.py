"""What a handler sees of a Kafka record, without naming the client library."""

from collections.abc import Callable
from dataclasses import dataclass, field
from operator import methodcaller
from typing import Final, Protocol

# What the client's types allow; consumed records have a list of pairs.
ClientHeaders = dict[str, str | bytes | None] | list[tuple[str, str | bytes | None]] | None


class Record(Protocol):
    """A consumed record; confluent_kafka's Message is one. Methods, because a Message decodes lazily."""

    def topic(self) -> str | None: ...
    def partition(self) -> int | None: ...
    def offset(self) -> int | None: ...
    def key(self) -> bytes | str | None: ...
    def value(self) -> bytes | str | None: ...
    def headers(self) -> ClientHeaders: ...
    def set_headers(self, headers: list[tuple[str, str | bytes | None]]) -> None: ...
    def timestamp(self) -> tuple[int, int]: ...


@dataclass(frozen=True, slots=True)
class TopicPartition:
    """One partition of a topic by its full name."""

    topic: str
    partition: int


@dataclass(slots=True)
class Batch:
    """Records in the order they were read (ascending offsets within a partition), and ends that were reached.

    `ends` holds, for a partition whose end was seen after its last record here, the offset of the next record to come:
    everything below it has been read, control records included.
    """

    records: list[Record] = field(default_factory=list)
    ends: dict[TopicPartition, int] = field(default_factory=dict)


def raw_bytes(value: bytes | str | None) -> bytes | None:
    """The bytes of a key or value; the client's types allow str, the wire never has it."""
    return value.encode() if isinstance(value, str) else value


# Called in C: the interpreter may leave out its check of a plain call's result, and would then go on with the half-made
# list that the client returns for a name that is no UTF-8. Whoever touches that ends the process.
_call_headers: Final[Callable[[Record], ClientHeaders]] = methodcaller("headers")


def client_headers(record: Record) -> ClientHeaders:
    """What `record.headers()` gives; none where a name is no UTF-8, which any writer may send and the client cannot
    read."""
    try:
        return _call_headers(record)
    except SystemError:
        # The client would return what is half made the next time, and say nothing.
        record.set_headers([])
        return []


def header_pairs(record: Record) -> list[tuple[str, bytes | None]]:
    """All headers in their order; values are bytes or null. None at all where the client cannot read them."""
    headers = client_headers(record) or []
    pairs = headers.items() if isinstance(headers, dict) else headers
    # As `raw_bytes`, without a call for each.
    return [(name, value.encode() if isinstance(value, str) else value) for name, value in pairs]


def header(record: Record, name: str) -> str | None:
    """The last header of that name as text, or None when absent, null or not UTF-8."""
    for key, value in reversed(header_pairs(record)):
        if key == name and value is not None:
            try:
                return value.decode()
            except UnicodeDecodeError:
                return None
    return None
