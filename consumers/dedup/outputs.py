"""From verdicts to records. Pure: the same verdict gives the same bytes, so that publishing again repeats exactly."""

import json
from collections.abc import Container, Sequence
from typing import Any, Final

from consumers.dedup.decide import Accepted, CancelAccepted, Refused, Replayed, Verdict
from consumers.dedup.intake import CancelQuestion, Question
from runtime.publishing import Outgoing
from schemas import codec, headers
from schemas.events import CancelRejected, CloneAccepted, CloneCanceled, CloneRejected, CloneReply, EventName
from schemas.ids import JobId, event_id_text, known_text, record_event_id
from schemas.topics import ADMISSIONS, REPLIES
from storage.admission import AdmissionState, Claim, Refusal
from storage.cancels import Cancellation

# Malformed ids come back as they were sent, but shortened: a record near the broker's limit would otherwise be answered
# by one above it, which no retry could ever publish, and its partition would stand still.
_ECHO_CHARACTERS: Final = 128


def outputs(
    questions: Sequence[Question],
    verdicts: Sequence[Verdict],
    state: AdmissionState,
    topic_prefix: str,
    reply_partitions: Container[int],
) -> list[Outgoing]:
    """Everything that these verdicts publish: admissions keyed by container, and a reply for each asker who can be
    answered."""
    records = []
    for question, verdict in zip(questions, verdicts, strict=True):
        if isinstance(verdict, Accepted):
            records.append(_accepted(verdict.claim, question, topic_prefix))
        elif isinstance(verdict, Refused):
            records.append(_refused(verdict.refusal, question, state, topic_prefix))
        elif isinstance(verdict, CancelAccepted) and verdict.fan_out:
            records.append(_canceled(verdict.cancellation, question, topic_prefix))
        asked = question.asker.reply_partition
        if asked is not None and asked in reply_partitions:
            records.append(_reply(question, verdict, topic_prefix))
    return records


def _accepted(claim: Claim, question: Question, topic_prefix: str) -> Outgoing:
    event = event_id_text(JobId(claim.job_id), "CloneAccepted")
    record: CloneAccepted = {
        "eventId": event,
        "jobId": str(claim.job_id),
        "orgId": known_text(claim.org_id),
        "containerId": str(claim.container_id),
        "projectId": known_text(claim.project_id),
        "projectLayerId": known_text(claim.layer_id),
        "sourcePostId": known_text(claim.source_post_id),
        "mode": claim.mode,
        "variations": claim.variations,
        "ordinal": claim.ordinal,
        "acceptedAt": claim.accepted_at_ms,
        "deadlineAt": claim.deadline_at_ms,
    }
    return _admission(
        "CloneAccepted", record, event, record["containerId"], claim.accepted_at_ms, claim.traceparent, topic_prefix
    )


def _canceled(cancellation: Cancellation, question: Question, topic_prefix: str) -> Outgoing:
    event = event_id_text(JobId(cancellation.job_id), "CloneCanceled")
    record: CloneCanceled = {
        "eventId": event,
        "jobId": str(cancellation.job_id),
        "orgId": str(cancellation.org_id),
        "containerId": str(cancellation.container_id),
        "requestedBy": cancellation.requested_by,
        "canceledAt": cancellation.canceled_at_ms,
        "reason": cancellation.reason,
    }
    at_ms = cancellation.canceled_at_ms
    return _admission(
        "CloneCanceled", record, event, record["containerId"], at_ms, question.asker.traceparent, topic_prefix
    )


def _refused(refusal: Refusal, question: Question, state: AdmissionState, topic_prefix: str) -> Outgoing:
    cancel = isinstance(question, CancelQuestion)
    name: EventName = "CancelRejected" if cancel else "CloneRejected"
    event = record_event_id(state.topic_id, refusal.place.partition, refusal.place.offset, name)
    record: CloneRejected | CancelRejected = {
        "eventId": str(event),
        "jobId": question.job_text[:_ECHO_CHARACTERS]
        if isinstance(question, CancelQuestion) and question.problems
        else str(refusal.job_id),
        "orgId": question.org_text[:_ECHO_CHARACTERS] if refusal.org_id is None else str(refusal.org_id),
        "containerId": str(refusal.container_id),
        "code": refusal.code,
        "message": refusal.message,
        "details": _details(refusal),
    }
    at_ms = refusal.refused_at_ms
    trace = question.asker.traceparent
    return _admission(name, record, record["eventId"], record["containerId"], at_ms, trace, topic_prefix)


def _admission(
    name: EventName,
    record: Any,
    event_id: str,
    container_id: str,
    at_ms: int,
    traceparent: str | None,
    topic_prefix: str,
) -> Outgoing:
    return Outgoing(
        topic=topic_prefix + ADMISSIONS.name,
        key=container_id.encode(),
        value=codec.encode(name, record),
        headers=headers.public(name, event_id, at_ms, traceparent),
    )


def _reply(question: Question, verdict: Verdict, topic_prefix: str) -> Outgoing:
    refusal = verdict.refusal if isinstance(verdict, Refused) else None
    if refusal is not None:
        outcome = "refused"
    elif isinstance(verdict, Replayed) or (isinstance(verdict, CancelAccepted) and not verdict.fan_out):
        outcome = "replayed"
    else:
        outcome = "accepted"
    record: CloneReply = {
        "requestId": question.asker.request_id or "",
        "jobId": str(question.job_id),
        "outcome": outcome,  # type: ignore[typeddict-item]  # one of the three literals above
        "code": None if refusal is None else refusal.code,
        "message": None if refusal is None else refusal.message,
        "details": None if refusal is None else _details(refusal),
    }
    return Outgoing(
        topic=topic_prefix + REPLIES.name,
        key=None,
        value=codec.encode("CloneReply", record),
        headers=headers.internal(question.asker.traceparent),
        partition=question.asker.reply_partition,
    )


def _details(refusal: Refusal) -> str | None:
    return None if refusal.details is None else json.dumps(refusal.details, ensure_ascii=False, sort_keys=True)
