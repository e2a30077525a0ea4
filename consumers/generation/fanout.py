"""The fan-out: CloneAccepted becomes N variations, CloneCanceled ends those that have not ended."""

import uuid
from typing import Final, cast

import structlog

from consumers.generation.pool import Pool
from consumers.generation.tasks import Task
from consumers.generation.wakeups import wakeups
from runtime import metrics
from runtime.dead_letters import dead_letter
from runtime.errors import Poison
from runtime.publishing import Outgoing, Publishing
from runtime.record import Batch, Record, header, raw_bytes
from runtime.trace import valid_traceparent
from schemas import codec
from schemas.events import CloneAccepted, CloneCanceled
from schemas.headers import TRACEPARENT
from schemas.topics import ADMISSIONS, DEAD_LETTERS
from storage import variations
from storage.connection import Connection, Database
from storage.variations import Ended, Lease, NewJob

_log = structlog.get_logger(__name__)

STAGE: Final = "generate"
_SKIPPED: Final = frozenset({"CloneRejected", "CancelRejected"})


class FanOutHandler:
    """Handles clone.admissions. Idempotent: rows that exist stay as they are."""

    def __init__(self, database: Database, publisher: Publishing, pool: Pool, *, topic_prefix: str) -> None:
        self._database = database
        self._publisher = publisher
        self._pool = pool
        self._topic_prefix = topic_prefix

    def handle(self, batch: Batch) -> None:
        """Make the rows, hand the leased ones to the pool. The slow work happens there, outside the poll loop."""
        accepted: list[NewJob] = []
        places: dict[uuid.UUID, tuple[uuid.UUID, str | None]] = {}
        canceled: dict[uuid.UUID, Ended] = {}
        records: list[Outgoing] = []
        for record in batch.records:
            value = raw_bytes(record.value())
            if value is not None and codec.event_name(value) in _SKIPPED:
                continue
            try:
                self._sort_in(record, value, accepted, places, canceled)
            except Poison as error:
                records.append(
                    dead_letter(record, error, stage=STAGE, dead_letters_topic=self._topic_prefix + DEAD_LETTERS.name)
                )
        if not accepted and not canceled and not records:
            return
        tasks, made = self._write(accepted, places, list(canceled))
        self._pool.submit(tasks)
        if made > len(tasks):
            self._pool.expect_pending()
        self._publisher.publish([*wakeups(list(canceled.values()), self._topic_prefix), *records])
        metrics.OUTCOMES.labels(STAGE, "fanned_out").inc(made)
        _log.info("fanned_out", jobs=len(accepted), variations=made, leased=len(tasks), canceled=len(canceled))

    def _sort_in(
        self,
        record: Record,
        value: bytes | None,
        accepted: list[NewJob],
        places: dict[uuid.UUID, tuple[uuid.UUID, str | None]],
        canceled: dict[uuid.UUID, Ended],
    ) -> None:
        try:
            decoded = codec.decode(value, ADMISSIONS.records)
            fields = cast("CloneAccepted | CloneCanceled", decoded.record)
            job_id, container_id = uuid.UUID(fields["jobId"]), uuid.UUID(fields["containerId"])
            org_id = uuid.UUID(fields["orgId"])
        except codec.UndecodableRecord as error:
            raise Poison(error.reason, str(error)) from error
        except ValueError as error:
            raise Poison("BAD_ID", "an id of the record is no UUID") from error
        if raw_bytes(record.key()) != fields["containerId"].encode():
            raise Poison("WRONG_KEY", "the key is not the record's containerId")
        traceparent = valid_traceparent(header(record, TRACEPARENT))
        if decoded.name == "CloneAccepted":
            job = cast("CloneAccepted", fields)
            accepted.append(NewJob(job_id, org_id, job["variations"], job["deadlineAt"]))
            places[job_id] = (container_id, traceparent)
        else:
            canceled[job_id] = Ended(job_id, container_id, traceparent, ())

    def _write(
        self,
        accepted: list[NewJob],
        places: dict[uuid.UUID, tuple[uuid.UUID, str | None]],
        canceled: list[uuid.UUID],
    ) -> tuple[list[Task], int]:
        pool = self._pool
        with self._database.transaction() as connection:
            leases: list[Lease] = []
            if accepted:
                leases = variations.fan_out(
                    connection,
                    accepted,
                    room=pool.room(),
                    worker_id=pool.worker_id,
                    lease_seconds=pool.lease_seconds,
                )
            if canceled:
                variations.cancel(connection, canceled)
            tasks = self._tasks(connection, leases, places)
        return tasks, sum(job.variations for job in accepted)

    def _tasks(
        self, connection: Connection, leases: list[Lease], places: dict[uuid.UUID, tuple[uuid.UUID, str | None]]
    ) -> list[Task]:
        if not leases:
            return []
        if self._pool.needs_material:
            return self._pool.load(connection, leases)
        return [Task(lease, *places[lease.job_id], None) for lease in leases]
