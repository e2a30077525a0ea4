"""The project stage: wake-ups in; job rows, settlements, outbox rows and terminal events out."""

import uuid
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final, cast

import structlog

from consumers.projector.outputs import terminal_event
from consumers.projector.transitions import transition
from runtime import metrics
from runtime.dead_letters import DeadLetters
from runtime.errors import Poison
from runtime.failpoint import failpoint
from runtime.partitioner import partition_of
from runtime.publishing import Outgoing, Publishing
from runtime.record import Batch, Record, raw_bytes
from schemas import codec
from schemas.events import VariationsFinished
from schemas.ids import parse_uuid
from schemas.topics import VARIATION_RESULTS
from storage import projection, untold
from storage.connection import Database
from storage.projection import Facts, JobChange, OutboxRow
from storage.wallets import Settlement

_log = structlog.get_logger(__name__)

STAGE: Final = "project"


@dataclass(slots=True)
class _Projected:
    """What a transaction has committed, and what is to be published of it."""

    batch_id: uuid.UUID
    events: list[Outgoing] = field(default_factory=list)
    repeated: dict[uuid.UUID, uuid.UUID] = field(default_factory=dict)
    """Jobs that had ended and may not have been told, with the batch that ended them."""
    outcomes: Counter[str] = field(default_factory=Counter)


class ProjectHandler:
    """Handles clone.variation-results. A record is only a wake-up: the state is recounted from the rows."""

    def __init__(
        self,
        database: Database,
        publisher: Publishing,
        dead_letters: DeadLetters,
        *,
        completion_partitions: int,
        topic_prefix: str,
    ) -> None:
        """`completion_partitions` is the partition count of clone.jobs-completed."""
        self._database = database
        self._publisher = publisher
        self._dead_letters = dead_letters
        self._completion_partitions = completion_partitions
        self._topic_prefix = topic_prefix

    def handle(self, batch: Batch) -> None:
        """Recount, commit, publish, forget what is told by then. Raises Retryable to be called again."""
        job_ids: set[uuid.UUID] = set()
        poison: list[tuple[Record, Poison]] = []
        for record in batch.records:
            try:
                job_ids.add(job_id_of(record))
            except Poison as error:
                poison.append((record, error))
        if not job_ids and not poison:
            return
        letters = self._dead_letters.letters(poison, of_records=len(batch.records))
        projected = self._commit(job_ids) if job_ids else None
        self._publisher.publish((projected.events if projected else []) + letters)
        if projected and projected.events:
            self._told(projected)
        self._dead_letters.published(poison, of_records=len(batch.records))
        outcomes = projected.outcomes if projected else Counter[str]()
        for outcome, number in outcomes.items():
            metrics.OUTCOMES.labels(STAGE, outcome).inc(number)
        _log.info("projected", outcomes=dict(outcomes), poison=len(poison))

    def _commit(self, job_ids: Collection[uuid.UUID]) -> _Projected:
        projected = _Projected(uuid.uuid4())
        changes: list[JobChange] = []
        settlements: list[Settlement] = []
        completions: list[OutboxRow] = []
        with self._database.transaction() as connection:
            now_ms, known = projection.read(connection, list(job_ids))
            ended = [facts.job.job_id for facts in known if facts.job.status != "running"]
            projected.repeated = untold.among(connection, ended) if ended else {}
            for facts in known:
                change = transition(facts, now_ms=now_ms)
                if change is not None:
                    changes.append(change)
                    projected.outcomes[change.status] += 1
                    if change.status != "running":
                        projected.events.append(self._end(facts, change, settlements, completions))
                elif facts.job.job_id in projected.repeated:
                    # Whoever ended it may have died before its event was acknowledged.
                    _, _, event = self._event(facts, facts.job.status, facts.job.finished_at_ms or 0)
                    projected.events.append(event)
            projection.write(connection, projected.batch_id, changes, settlements, completions)
            failpoint("project.written")
        failpoint("project.committed")
        projected.outcomes["unknown"] = len(job_ids) - len(known)
        projected.outcomes["repeated"] = len(projected.repeated)
        projected.outcomes = +projected.outcomes
        return projected

    def _told(self, projected: _Projected) -> None:
        failpoint("project.published")
        with self._database.transaction() as connection:
            untold.told(connection, projected.batch_id, projected.repeated)

    def _end(
        self, facts: Facts, change: JobChange, settlements: list[Settlement], completions: list[OutboxRow]
    ) -> Outgoing:
        claim = facts.claim
        settlements.append(
            Settlement(
                org_id=claim.org_id,
                job_id=claim.job_id,
                reserved=claim.variations * claim.variation_price,
                charged=change.credits_charged or 0,
                at_ms=change.at_ms,
            )
        )
        event_id, value, event = self._event(facts, change.status, change.at_ms)
        if change.status == "completed":
            completions.append(
                OutboxRow(
                    event_id=event_id,
                    job_id=claim.job_id,
                    record_key=claim.container_id,
                    record_value=value,
                    traceparent=claim.traceparent,
                    output_partition=partition_of(claim.container_id.encode(), self._completion_partitions),
                    created_at_ms=change.at_ms,
                )
            )
        return event

    def _event(self, facts: Facts, status: str, finished_at_ms: int) -> tuple[uuid.UUID, bytes, Outgoing]:
        return terminal_event(facts, status=status, finished_at_ms=finished_at_ms, topic_prefix=self._topic_prefix)


def job_id_of(record: Record) -> uuid.UUID:
    """The job to look at. Raises Poison."""
    try:
        decoded = codec.decode(raw_bytes(record.value()), VARIATION_RESULTS.records)
    except codec.UndecodableRecord as error:
        raise Poison(error.reason, str(error)) from error
    job_id = parse_uuid(cast("VariationsFinished", decoded.record)["jobId"])
    if job_id is None:
        raise Poison("BAD_ID", "jobId is no UUID")
    return job_id
