"""The fan-out: CloneAccepted becomes N variations, CloneCanceled ends those that have not ended."""

import uuid
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final, cast

import structlog

from consumers.generation.pool import Pool
from consumers.generation.tasks import Task
from consumers.generation.wakeups import wakeups
from runtime import metrics
from runtime.dead_letters import DeadLetters
from runtime.errors import Poison
from runtime.failpoint import failpoint
from runtime.publishing import Publishing
from runtime.record import Batch, Record, header_pairs, raw_bytes
from runtime.trace import valid_traceparent
from schemas import codec
from schemas.events import CloneAccepted, CloneCanceled, EventName
from schemas.headers import CE_TYPE, CE_TYPE_PREFIX, TRACEPARENT
from schemas.ids import parse_uuid
from schemas.topics import ADMISSIONS
from storage import variations
from storage.connection import Connection, Database
from storage.variations import Ended, Lease

_log = structlog.get_logger(__name__)

STAGE: Final = "generate"
_by_number: Final = attrgetter("int")
_SKIPPED: Final = frozenset({"CloneRejected", "CancelRejected"})


class FanOutHandler:
    """Handles clone.admissions. Idempotent: rows that exist stay as they are."""

    def __init__(
        self, database: Database, publisher: Publishing, dead_letters: DeadLetters, pool: Pool, *, topic_prefix: str
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._dead_letters = dead_letters
        self._pool = pool
        self._topic_prefix = topic_prefix

    def handle(self, batch: Batch) -> None:
        """Make the rows, hand the leased ones to the pool. The slow work happens there, outside the poll loop."""
        read = Admitted()
        poison: list[tuple[Record, Poison]] = []
        for record in batch.records:
            value = raw_bytes(record.value())
            if is_passed_over(value):
                continue
            try:
                read.add(record, value)
            except Poison as error:
                poison.append((record, error))
        letters = self._dead_letters.letters(poison, of_records=len(batch.records))
        leased, pending = self._write(read)
        if pending:
            self._pool.expect_pending()
        self._publisher.publish([*wakeups(list(read.canceled.values()), self._topic_prefix), *letters])
        self._dead_letters.published(poison, of_records=len(batch.records))
        if read.accepted or read.canceled or poison:
            metrics.OUTCOMES.labels(STAGE, "fanned_out").inc(leased + pending)
            _log.info(
                "fanned_out",
                jobs=len(read.accepted),
                leased=leased,
                pending=pending,
                canceled=len(read.canceled),
                poison=len(poison),
            )

    def _write(self, read: "Admitted") -> tuple[int, int]:
        """Commit the rows, and have those that were leased run. Returns how many are leased, and pending."""
        if not read.accepted and not read.canceled:
            return 0, 0
        pool = self._pool
        leases: list[Lease] = []
        pending = 0
        asked = [(org_id, read.variations[job_id]) for job_id, (org_id, _, _) in read.accepted.items()]
        pool.await_room(asked)
        with pool.leasing(asked) as room:
            with self._database.transaction() as connection:
                if read.canceled:
                    # First: it waits for rows of others, who must not wait for rows of ours meanwhile.
                    variations.cancel(connection, list(read.canceled))
                if read.accepted:
                    jobs = list(read.accepted)
                    if room.free >= sum(number for _, number in asked):
                        # All are leased, so their order gives nobody a place: by id, as the indexes have them.
                        jobs.sort(key=_by_number)
                    leases, pending = variations.fan_out(
                        connection,
                        jobs,
                        room=room.free,
                        reserved=room.reserved,
                        worker_id=pool.worker_id,
                        lease_seconds=pool.lease_seconds,
                    )
                tasks = self._tasks(connection, leases, read)
                failpoint("fanout.written")
            failpoint("fanout.committed")
            # After the commit: work on a row that was rolled back would be for nothing.
            pool.submit(tasks)
        failpoint("fanout.submitted")
        return len(leases), pending

    def _tasks(self, connection: Connection, leases: list[Lease], read: "Admitted") -> list[Task]:
        if leases and self._pool.needs_material:
            return self._pool.load(connection, leases)
        return [Task(lease, *read.accepted[lease.job_id], None) for lease in leases]


def is_passed_over(value: bytes | None) -> bool:
    """Whether a record is for others. By its fingerprint alone: it costs us no decoding."""
    return value is not None and codec.event_name(value) in _SKIPPED


@dataclass(slots=True)
class Admitted:
    """What a batch asks for. `accepted` has each job's organisation, container and traceparent."""

    accepted: dict[uuid.UUID, tuple[uuid.UUID, uuid.UUID, str | None]] = field(default_factory=dict)
    canceled: dict[uuid.UUID, Ended] = field(default_factory=dict)
    variations: dict[uuid.UUID, int] = field(default_factory=dict)
    """How many each accepted job asks for."""

    def add(self, record: Record, value: bytes | None) -> None:
        """Sort one record in. Raises Poison."""
        try:
            decoded = codec.decode(value, ADMISSIONS.records)
        except codec.UndecodableRecord as error:
            raise Poison(error.reason, str(error)) from error
        fields = cast("CloneAccepted | CloneCanceled", decoded.record)
        job_id, container_id = parse_uuid(fields["jobId"]), parse_uuid(fields["containerId"])
        org_id = parse_uuid(fields["orgId"])
        if job_id is None or container_id is None or org_id is None:
            raise Poison("BAD_ID", "an id of the record is no UUID")
        if raw_bytes(record.key()) != fields["containerId"].encode():
            raise Poison("WRONG_KEY", "the key is not the record's containerId")
        traceparent = _traceparent(record, decoded.name)
        if decoded.name == "CloneAccepted":
            self.variations[job_id] = cast("CloneAccepted", fields)["variations"]
            self.accepted[job_id] = org_id, container_id, traceparent
        else:
            self.canceled[job_id] = Ended(job_id, container_id, traceparent, ())


def _traceparent(record: Record, name: EventName) -> str | None:
    """The record's traceparent. Raises Poison where any ce_type contradicts the record, also one that is no text."""
    found: str | None = None
    for key, value in header_pairs(record):
        if key == CE_TYPE and value is not None and value != (CE_TYPE_PREFIX + name).encode():
            raise Poison("WRONG_TYPE", f"the ce_type header contradicts the record, which is a {name}")
        if key == TRACEPARENT and value is not None:
            found = valid_traceparent(value.decode("utf-8", "replace"))
    return found
