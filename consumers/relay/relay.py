"""Performs the protocol. One round is one database transaction that holds the checkpoint rows."""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol

import structlog

from consumers.relay.protocol import Step, Trust, trust_after_publish
from runtime import metrics
from runtime.errors import BrokerUnavailable, Fatal, Retryable
from runtime.failpoint import failpoint
from runtime.publishing import Outgoing
from runtime.transactions import Logged
from schemas import headers
from schemas.topics import JOBS_COMPLETED
from storage import outbox
from storage.connection import Connection, Database
from storage.outbox import Pending

_log = structlog.get_logger(__name__)

BATCH_EVENTS: Final = 1_000
TRANSACTIONAL_ID: Final = "clonepost.relay"
"""One for the topic, behind the prefix. Never change: a new name would not fence the old one's publishers."""


class FencedPublishing(Protocol):
    """A publisher whose making has fenced all before it."""

    def publish(self, records: Sequence[Outgoing]) -> float:
        """Publish in one transaction; returns the seconds its commit took. Raises BrokerUnavailable."""
        ...

    def close(self) -> None:
        """Forget it."""
        ...


class LogReading(Protocol):
    """Reads committed records from offsets up to ends, then yields (partition, next offset) pairs."""

    def read(
        self, start_offsets: Mapping[int, int], end_offsets: Mapping[int, int]
    ) -> Iterator[Logged | tuple[int, int]]:
        """See runtime.transactions.LogReader."""
        ...


class Relay:
    """Publishes outbox rows. Any number may run; one leads."""

    def __init__(
        self,
        database: Database,
        new_publisher: Callable[[], FencedPublishing],
        reader: LogReading,
        end_offsets: Callable[[], dict[int, int]],
        *,
        topic: str,
        topic_id: uuid.UUID,
    ) -> None:
        self._database = database
        self._new_publisher = new_publisher
        self._reader = reader
        self._end_offsets = end_offsets
        self._topic = topic
        self._topic_id = topic_id
        self._leader_id = uuid.uuid4()
        self._trust = Trust.UNFENCED
        self._publisher: FencedPublishing | None = None

    def round(self) -> int:
        """One round. Returns how many events it published or found published; 0 when there was nothing to do.

        Raises Retryable after which the next round fences and scans again, and Fatal when the log contradicts Postgres.
        """
        try:
            with self._database.transaction() as connection:
                _reached(Step.LEAD)
                checkpoints = outbox.lead(connection, self._topic_id, self._leader_id)
                if checkpoints is None:
                    self._distrust()
                    return 0
                if self._trust is Trust.UNFENCED:
                    marked = self._fence_and_scan(connection, checkpoints)
                else:
                    marked = self._publish(connection, checkpoints)
                _reached(Step.COMMIT)
        except Retryable:
            self._distrust()
            raise
        if marked:
            metrics.OUTCOMES.labels("relay", "published").inc(marked)
            _log.info("relayed", events=marked)
        return marked

    def _fence_and_scan(self, connection: Connection, checkpoints: dict[int, int]) -> int:
        _reached(Step.FENCE)
        self._publisher = self._new_publisher()
        _reached(Step.SCAN)
        ends = self._end_offsets()
        if ends.keys() - checkpoints.keys():
            # The topic has grown since the checkpoints were made.
            outbox.add_checkpoints(connection, self._topic_id, len(ends))
            checkpoints = {**dict.fromkeys(ends, 0), **checkpoints}
        marked = self._read_back(connection, checkpoints, ends)
        self._trust = Trust.FENCED
        _log.info("relay_leads", found_published=marked)
        # Something to do is likely: the next round should come at once.
        return marked

    def _publish(self, connection: Connection, checkpoints: dict[int, int]) -> int:
        _reached(Step.SELECT)
        rows = outbox.pending(connection, BATCH_EVENTS)
        # Renewed only by a round that succeeds: while they fail, the oldest event goes on ageing.
        metrics.observe_oldest_record("relay", rows[0].created_at_ms if rows else None)
        if not rows or self._publisher is None:
            return 0
        if any(row.output_partition not in checkpoints for row in rows):
            # Published without a checkpoint it would never be read back, and be published again for ever.
            raise BrokerUnavailable(f"kafka: {self._topic} has grown: its new partitions have no checkpoints yet")
        _reached(Step.PUBLISH)
        commit_seconds = self._publisher.publish([self._record(row) for row in rows])
        if trust_after_publish(commit_seconds) is not Trust.FENCED:
            raise BrokerUnavailable(f"kafka: a commit took {commit_seconds:.1f} s and is not trusted")
        _reached(Step.READ_BACK)
        marked = self._read_back(connection, checkpoints, self._end_offsets())
        if marked < len(rows):
            # Not all of it is in the log: what the client said cannot be trusted, and neither can what it says next.
            raise BrokerUnavailable(f"kafka: only {marked} of {len(rows)} published events were read back")
        return marked

    def _read_back(self, connection: Connection, checkpoints: dict[int, int], ends: dict[int, int]) -> int:
        events: list[tuple[uuid.UUID, int]] = []
        following: dict[int, int] = {}
        for item in self._reader.read(checkpoints, {p: end for p, end in ends.items() if p in checkpoints}):
            if not isinstance(item, Logged):
                following[item[0]] = item[1]
            elif item.event_id is None:
                raise self._foreign([f"offset {item.partition}/{item.offset}"])
            else:
                events.append((item.event_id, item.offset))
        _reached(Step.MARK)
        marked, unknown = outbox.mark_published(connection, events)
        if unknown:
            raise self._foreign(str(event_id) for event_id in unknown)
        outbox.move_checkpoints(connection, self._topic_id, following)
        return marked

    def _foreign(self, names: Iterable[str]) -> Fatal:
        shown = ", ".join(list(names)[:5])
        return Fatal(
            f"{self._topic} holds events that this database does not know ({shown}): another system writes to the "
            "topic, or the database was restored from before them. Find out which before the relay may go on."
        )

    def _record(self, row: Pending) -> Outgoing:
        return Outgoing(
            topic=self._topic,
            key=row.record_key.encode(),
            value=row.record_value,
            headers=headers.public("JobCompleted", str(row.event_id), row.created_at_ms, row.traceparent),
            partition=row.output_partition,
        )

    def _distrust(self) -> None:
        self._trust = Trust.UNFENCED
        if self._publisher is not None:
            self._publisher.close()
            self._publisher = None


def _reached(step: Step) -> None:
    """The step begins."""
    failpoint(f"relay.{step.value}")


def completion_topic(topic_prefix: str) -> str:
    """The full name of the topic that the relay writes."""
    return topic_prefix + JOBS_COMPLETED.name
