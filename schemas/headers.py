"""Names of record headers. Values are UTF-8 text. All are optional on input; a `ce_type` that contradicts is poison.

Public topics carry the CloudEvents headers (Kafka binding, binary mode); internal topics carry `traceparent` alone.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

CE_ID: Final = "ce_id"
CE_TYPE: Final = "ce_type"
CE_SOURCE: Final = "ce_source"
CE_TIME: Final = "ce_time"
TRACEPARENT: Final = "traceparent"
# On a request: the partition of clone.replies that the asker reads. Its ce_id comes back in the reply.
REPLY_TO: Final = "reply_to"

CE_TYPE_PREFIX: Final = "clonepost.events."
SOURCE: Final = "clonepost"
_CE_SOURCE: Final = (CE_SOURCE, SOURCE.encode())

# What headers of ours on a dead letter begin with; the others are the record's own.
DEAD_LETTER_PREFIX: Final = "dlq_"
DEAD_LETTER_REASON: Final = "dlq_reason"
DEAD_LETTER_DETAIL: Final = "dlq_detail"
DEAD_LETTER_STAGE: Final = "dlq_stage"
DEAD_LETTER_TOPIC: Final = "dlq_topic"
DEAD_LETTER_PARTITION: Final = "dlq_partition"
DEAD_LETTER_OFFSET: Final = "dlq_offset"
DEAD_LETTER_TIME: Final = "dlq_time_ms"
# The record's own ce_id; the dead letter's is a function of the record's place.
DEAD_LETTER_CE_ID: Final = "dlq_ce_id"
# On a dead letter without the record, which was larger than the topic takes: its bytes, key and headers included.
DEAD_LETTER_OMITTED: Final = "dlq_omitted_bytes"
# On a record that an operator sent again: `<letter id>/<attempt>`.
REDRIVE: Final = "dlq_redrive"


def rfc3339(at_ms: int) -> str:
    """`2026-01-31T12:00:00.000Z`: UTC with milliseconds, the one form in which times leave this system."""
    seconds, milliseconds = divmod(at_ms, 1_000)
    return f"{_second(seconds)}.{milliseconds:03d}Z"


@lru_cache(maxsize=64)
def _ce_time(at_ms: int) -> tuple[str, bytes]:
    # Under load, many records have the same millisecond.
    return CE_TIME, rfc3339(at_ms).encode()


@lru_cache(maxsize=64)
def _ce_type(event_name: str) -> tuple[str, bytes]:
    return CE_TYPE, (CE_TYPE_PREFIX + event_name).encode()


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    # Records of one moment share it, and rendering it costs ten times as much as the rest.
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")[:-6]


def public(event_name: str, event_id: str, at_ms: int, traceparent: str | None) -> list[tuple[str, bytes]]:
    """The headers of a record on a public topic: CloudEvents, and the trace if there is one; `at_ms` is Unix time."""
    values = [(CE_ID, event_id.encode()), _ce_type(event_name), _CE_SOURCE, _ce_time(at_ms)]
    if traceparent is not None:
        values.append((TRACEPARENT, traceparent.encode()))
    return values


def internal(traceparent: str | None) -> list[tuple[str, bytes]]:
    """The headers of a record on an internal topic: the trace and nothing else."""
    return [] if traceparent is None else [(TRACEPARENT, traceparent.encode())]
