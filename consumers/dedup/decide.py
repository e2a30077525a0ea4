"""The verdicts. Pure: the same questions on the same state give the same verdicts; a batch equals its records folded.

Order of rules for a clone: decided before (this very record), shape, Idempotency-Key, claim (replay or conflict),
deadline, project, source, layer, running-jobs cap, credits. So a replay survives an archived layer and an empty wallet.
A refusal claims nothing: it changes no state, and the same container id may be asked for again.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from consumers.dedup.intake import CancelQuestion, CloneQuestion, Question
from schemas.canonical import CloneRequest
from schemas.errors import ErrorCode
from schemas.ids import format_id, parse_uuid
from schemas.request_rules import FieldProblem
from storage.admission import AdmissionState, Claim, Layer, Refusal, SourcePost, Writes
from storage.cancels import Cancellation, JobState

JOB_LIFETIME_MS: Final = 3_600_000
"""A job ends within an hour of its acceptance, whatever its deadlineAt says."""

PRICE_PER_VARIATION: Final[dict[str, int]] = {"video": 120, "slideshow": 50}
"""Credits, by the layer's format."""

ALREADY: Final[dict[str, str]] = {
    "completed": "ALREADY_COMPLETED",
    "failed": "ALREADY_FAILED",
    "canceled": "ALREADY_CANCELED",
}


@dataclass(frozen=True, slots=True)
class Accepted:
    """The request won. Its admission is published, also when the record is read again."""

    claim: Claim


@dataclass(frozen=True, slots=True)
class Replayed:
    """The same request had won at another offset. Only the asker is told."""

    job_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class Refused:
    """The record is refused, for ever: redelivery repeats this very refusal."""

    refusal: Refusal


@dataclass(frozen=True, slots=True)
class CancelAccepted:
    """The cancel is accepted. `fan_out` is false when another record's cancel did it already."""

    cancellation: Cancellation
    fan_out: bool


Verdict = Accepted | Replayed | Refused | CancelAccepted


class _No(Exception):  # carries a refusal out of the nested rules
    def __init__(self, code: ErrorCode, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.details = details


def decide(questions: Sequence[Question], state: AdmissionState) -> tuple[list[Verdict], Writes]:
    """Judge a batch in its order. Returns one verdict a question, and what must be written.

    Folds the batch into `state`: what an earlier question took, a later one finds taken.
    """
    writes = Writes()
    verdicts = [
        _clone(question, state, writes) if isinstance(question, CloneQuestion) else _cancel(question, state, writes)
        for question in questions
    ]
    return verdicts, writes


def _clone(question: CloneQuestion, state: AdmissionState, writes: Writes) -> Verdict:
    before = state.refusals.get(question.place)
    if before is not None:
        return Refused(before)
    request = question.request
    claim = None if request is None else state.claims.get((request.org_id, request.container_id))
    if claim is not None and claim.topic_id == state.topic_id and claim.place == question.place:
        return Accepted(claim)
    if claim is not None and claim.job_id == question.job_id and state.was_decided(question.place):
        # Judged anew, it could meet a key that another request has taken since its own ran out.
        return Replayed(question.job_id)
    try:
        if request is None:
            raise _invalid(question.problems)
        if _is_replay(question, request, claim, state):
            _keep_key(question, request, state, writes)
            return Replayed(question.job_id)
        accepted = _admit(question, request, state)
    except _No as no:
        return _refuse(question, no, state, writes, kind="clone")
    _take(accepted, state, writes)
    _keep_key(question, request, state, writes)
    return Accepted(accepted)


def _is_replay(question: CloneQuestion, request: CloneRequest, claim: Claim | None, state: AdmissionState) -> bool:
    if question.idempotency_key is not None:
        named = state.idempotency_keys.get((request.org_id, question.idempotency_key))
        if named is not None and named != question.job_id:
            raise _No(
                ErrorCode.IDEMPOTENCY_CONFLICT, "This Idempotency-Key was used for a different request within 24 hours."
            )
    if claim is None:
        return False
    if claim.job_id != question.job_id:
        raise _No(ErrorCode.CONFLICT, "Container id already exists with a different request.")
    return True


def _admit(question: CloneQuestion, request: CloneRequest, state: AdmissionState) -> Claim:
    if question.deadline_at_ms is not None and question.deadline_at_ms <= state.now_ms:
        raise _No(ErrorCode.DEADLINE_EXCEEDED, "The deadline had passed when the request was decided.")
    wallet = state.wallets.get(request.org_id)
    if wallet is None:
        raise _No(ErrorCode.NOT_FOUND, "Organization not found.")
    layers = state.layers.get((request.org_id, request.project_id))
    if layers is None:
        raise _No(ErrorCode.NOT_FOUND, "Project not found.")
    source = _source(request, state)
    layer = _layer(request, layers)
    if wallet.running_jobs >= wallet.max_running_jobs:
        raise _No(
            ErrorCode.RATE_LIMITED,
            "Too many running jobs — wait for some to end.",
            {"runningJobs": wallet.running_jobs, "maxRunningJobs": wallet.max_running_jobs},
        )
    price = PRICE_PER_VARIATION[layer.format]
    if wallet.available < price * request.variations:
        raise _No(
            ErrorCode.BILLING_EXHAUSTED,
            "Credits insufficient.",
            {"required": price * request.variations, "available": wallet.available},
        )
    latest_ms = state.now_ms + JOB_LIFETIME_MS
    return Claim(
        org_id=request.org_id,
        container_id=request.container_id,
        job_id=question.job_id,
        project_id=request.project_id,
        layer_id=layer.layer_id,
        source_post_id=source.post_id,
        mode=request.mode,
        variations=request.variations,
        overrides=request.overrides,
        variation_price=price,
        ordinal=state.ordinals.get((request.org_id, request.project_id), 0),
        requested_by=question.requested_by,
        requested_at_ms=question.requested_at_ms,
        accepted_at_ms=state.now_ms,
        deadline_at_ms=latest_ms if question.deadline_at_ms is None else min(question.deadline_at_ms, latest_ms),
        traceparent=question.asker.traceparent,
        topic_id=state.topic_id,
        place=question.place,
    )


def _source(request: CloneRequest, state: AdmissionState) -> SourcePost:
    internal = parse_uuid(request.source)
    if internal is not None:
        one = state.internal_posts.get((request.org_id, internal))
        found = [] if one is None else [one]
    else:
        found = state.external_posts.get((request.org_id, request.source), [])
    usable = [post for post in found if post.project_id in (None, request.project_id)]
    if not usable:
        raise _No(ErrorCode.NOT_FOUND, "Source post not found.")
    if len(usable) > 1:
        candidates = [
            {"id": format_id("pp", post.post_id), "platform": post.platform, "externalId": post.external_id}
            for post in usable
        ]
        raise _No(
            ErrorCode.CONFLICT,
            "Source post is ambiguous — pass the id of one of the candidates.",
            {"candidates": candidates},
        )
    return usable[0]


def _layer(request: CloneRequest, layers: Sequence[Layer]) -> Layer:
    if request.project_layer_id is not None:
        for layer in layers:
            if layer.layer_id == request.project_layer_id:
                if not layer.active:
                    raise _No(ErrorCode.CONFLICT, "The content layer is archived — pass an active one.")
                return layer
        raise _No(ErrorCode.NOT_FOUND, "Content layer not found.")
    active = [layer for layer in layers if layer.active]
    if not active:
        raise _No(ErrorCode.CONFLICT, "Project has no active content layers.", {"layerCount": 0})
    if len(active) > 1:
        raise _No(
            ErrorCode.CONFLICT,
            "Multiple content layers — pass projectLayerId to disambiguate.",
            {"layerCount": len(active)},
        )
    return active[0]


def _keep_key(question: CloneQuestion, request: CloneRequest, state: AdmissionState, writes: Writes) -> None:
    """The key stands for its request from now on, also when the request had been accepted without it.

    A replay that kept nothing would be judged anew on redelivery: another request could have taken the key since.
    """
    if question.idempotency_key is not None:
        key = (request.org_id, question.idempotency_key)
        if key not in state.idempotency_keys:
            state.idempotency_keys[key] = question.job_id
            writes.idempotency_keys.append((*key, question.job_id))


def _take(claim: Claim, state: AdmissionState, writes: Writes) -> None:
    wallet = state.wallets[claim.org_id]
    wallet.available -= claim.variations * claim.variation_price
    wallet.running_jobs += 1
    state.ordinals[claim.org_id, claim.project_id] = claim.ordinal + 1
    state.claims[claim.org_id, claim.container_id] = claim
    state.jobs[claim.job_id] = JobState(claim.org_id, claim.container_id, "running", 0, claim.variations, None)
    writes.claims.append(claim)


def _cancel(question: CancelQuestion, state: AdmissionState, writes: Writes) -> Verdict:
    before = state.refusals.get(question.place)
    if before is not None:
        return Refused(before)
    job = state.jobs.get(question.job_id)
    try:
        if question.problems:
            raise _invalid(question.problems)
        if job is None and (question.org_id, question.job_id) in state.refused_jobs:
            raise _No(ErrorCode.CONFLICT, "The job has failed already.", {"reason": ALREADY["failed"]})
        if job is None or job.org_id != question.org_id or job.container_id != question.container_id:
            raise _No(ErrorCode.NOT_FOUND, "Job not found.")
        if job.cancellation is not None:
            first = job.cancellation.topic_id == state.topic_id and job.cancellation.place == question.place
            # Decided before and not refused: it was accepted, whatever has become of the job since.
            if first or job.status == "running" or state.was_decided(question.place):
                return CancelAccepted(job.cancellation, fan_out=first)
        if job.status != "running":
            raise _No(ErrorCode.CONFLICT, f"The job is {job.status} already.", {"reason": ALREADY[job.status]})
        if job.ended_variations == job.variations:
            raise _No(
                ErrorCode.CONFLICT,
                "The job is finishing and cannot be canceled any more.",
                {"subcode": "JOB_CANCEL_UNAVAILABLE"},
            )
    except _No as no:
        return _refuse(question, no, state, writes, kind="cancel")
    cancellation = Cancellation(
        job_id=question.job_id,
        org_id=job.org_id,
        container_id=job.container_id,
        requested_by=question.requested_by,
        reason=question.reason,
        canceled_at_ms=state.now_ms,
        topic_id=state.topic_id,
        place=question.place,
    )
    state.jobs[question.job_id] = replace(job, cancellation=cancellation)
    writes.cancellations.append(cancellation)
    return CancelAccepted(cancellation, fan_out=True)


def _refuse(question: Question, no: _No, state: AdmissionState, writes: Writes, *, kind: Any) -> Refused:
    refusal = Refusal(
        kind=kind,
        org_id=question.org_id,
        container_id=question.container_id,
        job_id=question.job_id,
        project_id=question.project_id if isinstance(question, CloneQuestion) else None,
        code=no.code.value,
        message=no.message,
        details=no.details,
        refused_at_ms=state.now_ms,
        place=question.place,
    )
    if refusal.kind == "clone" and refusal.org_id is not None:
        state.refused_jobs.add((refusal.org_id, refusal.job_id))
    state.refusals[question.place] = refusal
    writes.refusals.append(refusal)
    return Refused(refusal)


def _invalid(problems: Sequence[FieldProblem]) -> _No:
    return _No(
        ErrorCode.VALIDATION_FAILED,
        "The request is not valid — see details.fields.",
        {"fields": [{"field": problem.field, "message": problem.message} for problem in problems]},
    )
