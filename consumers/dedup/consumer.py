"""The dedup stage: one database transaction a batch, then the outputs, then (in the loop) the offsets."""

import uuid
from collections import Counter
from collections.abc import Container
from typing import Final

import structlog

from consumers.dedup.decide import Refused, Verdict, decide
from consumers.dedup.intake import CloneQuestion, Question, read_record
from consumers.dedup.outputs import outputs
from runtime import metrics
from runtime.dead_letters import DeadLetters
from runtime.errors import ConstraintViolated, Poison
from runtime.failpoint import failpoint
from runtime.publishing import Outgoing, Publishing
from runtime.record import Batch, Record
from schemas.ids import parse_uuid
from storage import admission
from storage.admission import IdempotencyKeyTaken, Lookups
from storage.connection import Database

_log = structlog.get_logger(__name__)

STAGE: Final = "dedup"
_RACES_PER_BATCH: Final = 5


class DedupHandler:
    """Judges clone.requests. Idempotent: a record that was judged before gets the same outputs again."""

    def __init__(
        self,
        database: Database,
        publisher: Publishing,
        dead_letters: DeadLetters,
        *,
        topic_id: uuid.UUID,
        topic_prefix: str,
        reply_partitions: Container[int],
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._dead_letters = dead_letters
        self._topic_id = topic_id
        self._topic_prefix = topic_prefix
        self._reply_partitions = reply_partitions
        self._progress: dict[int, int] = {}

    def handle(self, batch: Batch) -> None:
        """Decide, commit, publish. Raises DatabaseUnavailable or BrokerUnavailable to be called again."""
        questions: list[Question] = []
        poison: list[tuple[Record, Poison]] = []
        for record in batch.records:
            try:
                questions.append(read_record(record))
            except Poison as error:
                poison.append((record, error))
        next_offsets = self._next_offsets(batch)
        if not questions and not next_offsets and not poison:
            return
        letters = self._dead_letters.letters(poison, of_records=len(batch.records))
        verdicts, admitted = self._commit(questions, next_offsets)
        self._publisher.publish(admitted + letters)
        self._progress.update(next_offsets)
        self._dead_letters.published(poison, of_records=len(batch.records))
        if batch.records:
            self._report(verdicts, len(poison))

    def _commit(self, questions: list[Question], next_offsets: dict[int, int]) -> tuple[list[Verdict], list[Outgoing]]:
        lookups = _lookups(questions)
        for attempt in range(_RACES_PER_BATCH):
            try:
                with self._database.transaction() as connection:
                    if not questions:
                        admission.move_progress(connection, self._topic_id, next_offsets)
                        return [], []
                    state = admission.read(connection, self._topic_id, lookups)
                    verdicts, writes = decide(questions, state)
                    # Encoded before the commit: after it only the broker can fail, and that is retried.
                    records = outputs(questions, verdicts, state, self._topic_prefix, self._reply_partitions)
                    admission.write(connection, state, writes, next_offsets)
                    failpoint("dedup.written")
                failpoint("dedup.committed")
                return verdicts, records
            except (ConstraintViolated, IdempotencyKeyTaken) as error:
                # Another process was faster, for example across a failover: read again, decide again.
                _log.info("dedup_race", attempt=attempt, reason=str(error))
        raise ConstraintViolated("admission, repeatedly")

    def _next_offsets(self, batch: Batch) -> dict[int, int]:
        """What `dedup_progress` is to become, where that is new to this process: an idle system writes nothing."""
        following: dict[int, int] = {}
        for record in batch.records:
            following[record.partition() or 0] = (record.offset() or 0) + 1
        for place, offset in batch.ends.items():
            following[place.partition] = offset
        return {p: offset for p, offset in following.items() if offset > self._progress.get(p, 0)}

    def _report(self, verdicts: list[Verdict], poison: int) -> None:
        outcomes = Counter(
            verdict.refusal.code if isinstance(verdict, Refused) else type(verdict).__name__ for verdict in verdicts
        )
        for outcome, count in outcomes.items():
            metrics.OUTCOMES.labels(STAGE, outcome).inc(count)
        _log.info("dedup_batch", outcomes=dict(outcomes), poison=poison)


def _lookups(questions: list[Question]) -> Lookups:
    lookups = Lookups()
    for question in questions:
        lookups.places.add(question.place)
        if question.org_id is not None:
            lookups.org_ids.add(question.org_id)
        if not isinstance(question, CloneQuestion):
            if question.org_id is not None:
                lookups.cancel_jobs.add((question.org_id, question.job_id))
            continue
        request = question.request
        if request is None:
            continue
        org_id = request.org_id
        lookups.containers.add((org_id, request.container_id))
        lookups.projects.add((org_id, request.project_id))
        if question.idempotency_key is not None:
            lookups.idempotency_keys.add((org_id, question.idempotency_key))
        internal = parse_uuid(request.source)
        if internal is None:
            lookups.external_posts.add((org_id, request.source))
        else:
            lookups.internal_posts.add((org_id, internal))
    return lookups
