"""The project stage: wake-ups in; job rows, settlements, outbox rows and terminal events out."""

import uuid
from collections import Counter
from typing import Final, cast

import structlog

from consumers.projector.outputs import job_event, terminal_event
from consumers.projector.transitions import must_repeat, transition
from runtime import metrics
from runtime.dead_letters import DeadLetters
from runtime.errors import Poison
from runtime.failpoint import failpoint
from runtime.partitioner import partition_of
from runtime.publishing import Outgoing, Publishing
from runtime.record import Batch, Record, raw_bytes
from schemas import codec
from schemas.events import VariationsFinished
from schemas.topics import VARIATION_RESULTS
from storage import projection
from storage.connection import Database
from storage.projection import Facts, JobChange, OutboxRow
from storage.wallets import Settlement

_log = structlog.get_logger(__name__)

STAGE: Final = "project"


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
        """Recount, commit, publish. Raises Retryable to be called again."""
        offsets: dict[uuid.UUID, tuple[int, int]] = {}
        poison: list[tuple[Record, Poison]] = []
        for record in batch.records:
            try:
                job_id = _job_id(record)
            except Poison as error:
                poison.append((record, error))
                continue
            offset = record.offset() or 0
            lowest, highest = offsets.get(job_id, (offset, offset))
            offsets[job_id] = (min(lowest, offset), max(highest, offset))
        if not offsets and not poison:
            return
        letters = self._dead_letters.letters(poison, of_records=len(batch.records))
        events, outcomes = self._commit(offsets) if offsets else ([], Counter())
        self._publisher.publish(events + letters)
        self._dead_letters.published(poison, of_records=len(batch.records))
        for outcome, number in outcomes.items():
            metrics.OUTCOMES.labels(STAGE, outcome).inc(number)
        _log.info("projected", outcomes=dict(outcomes), poison=len(poison))

    def _commit(self, offsets: dict[uuid.UUID, tuple[int, int]]) -> tuple[list[Outgoing], Counter[str]]:
        outcomes: Counter[str] = Counter()
        events: list[Outgoing] = []
        changes: list[JobChange] = []
        settlements: list[Settlement] = []
        completions: list[OutboxRow] = []
        with self._database.transaction() as connection:
            now_ms, known = projection.read(connection, list(offsets))
            outcomes["unknown"] = len(offsets) - len(known)
            for facts in known:
                lowest, highest = offsets[facts.job.job_id]
                change = transition(facts, now_ms=now_ms, offset=highest)
                if change is not None:
                    changes.append(change)
                    outcomes[change.status] += 1
                    if change.status != "running":
                        events.append(self._end(facts, change, settlements, completions))
                elif must_repeat(facts, lowest):
                    events.append(self._event(facts, facts.job.status, facts.job.finished_at_ms or 0)[0])
                    outcomes["repeated"] += 1
            projection.write(connection, changes, settlements, completions)
            failpoint("project.written")
        failpoint("project.committed")
        return events, +outcomes

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
        event, event_id, value = self._event(facts, change.status, change.at_ms)
        if change.status == "completed":
            key = str(claim.container_id)
            completions.append(
                OutboxRow(
                    event_id=event_id,
                    job_id=claim.job_id,
                    record_key=key,
                    record_value=value,
                    traceparent=claim.traceparent,
                    output_partition=partition_of(key.encode(), self._completion_partitions),
                    created_at_ms=change.at_ms,
                )
            )
        return event

    def _event(self, facts: Facts, status: str, finished_at_ms: int) -> tuple[Outgoing, uuid.UUID, bytes]:
        name, event_id, value = terminal_event(facts, status=status, finished_at_ms=finished_at_ms)
        record = job_event(facts, name, event_id, value, finished_at_ms=finished_at_ms, topic_prefix=self._topic_prefix)
        return record, event_id, value


def _job_id(record: Record) -> uuid.UUID:
    try:
        decoded = codec.decode(raw_bytes(record.value()), VARIATION_RESULTS.records)
        return uuid.UUID(cast("VariationsFinished", decoded.record)["jobId"])
    except codec.UndecodableRecord as error:
        raise Poison(error.reason, str(error)) from error
    except ValueError as error:
        raise Poison("BAD_ID", "jobId is no UUID") from error
