"""POST /v1/content/{containerId}/clone-from-post: the hot route, without a framework's layers."""

import json
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from producer.errors import Answer, ApiError, invalid, malformed
from producer.ingest.requests import clone_record, outgoing
from producer.ingest.sender import Sender, reply_of
from producer.ingest.verdicts import Outcome
from runtime.publishing import Outgoing
from schemas.canonical import canonical_bytes_of, job_name_of_canonical
from schemas.errors import HTTP_STATUS, ErrorCode
from schemas.events import CloneReply
from schemas.ids import OrgId, format_id
from schemas.request_rules import MAX_IDEMPOTENCY_KEY_CHARACTERS, FieldProblem, RequestInvalid, request_from_body
from schemas.strict_json import MalformedJson, parse_strict
from storage.keys import ApiKey

KIND: Final = "content_clone_from_post"
_JSON: Final = (b"content-type", b"application/json")


class _Asked(NamedTuple):
    """What is published, and the ids that the answer names."""

    record: Outgoing
    job: str
    container: str


class CloneRoute:
    """Takes one clone request in."""

    def __init__(self, sender: Sender, *, reply_partition: int, topic_prefix: str) -> None:
        self._sender = sender
        self._reply_partition = reply_partition
        self._topic_prefix = topic_prefix

    async def post(
        self,
        key: ApiKey,
        container: str,
        body: bytes,
        *,
        request_id: str,
        idempotency_key: str | None,
        traceparent: str,
    ) -> Answer:
        """Answer as the dedup consumer decided, or 202 when its verdict is late. Raises ApiError."""
        asked = self._asked(key, container, body, request_id, idempotency_key, traceparent)
        return _answer(asked, await self._sender.ask(request_id, asked.record))

    def begin(
        self,
        key: ApiKey,
        container: str,
        body: bytes,
        *,
        request_id: str,
        idempotency_key: str | None,
        traceparent: str,
        answered: Callable[[Answer | Exception], None],
    ) -> None:
        """Publish, and have `answered` called once, later, with what `post` would return or raise.

        Raises ApiError when nothing was published; then it is not called.
        """
        asked = self._asked(key, container, body, request_id, idempotency_key, traceparent)

        def settled(outcome: Outcome) -> None:
            try:
                found: Answer | Exception = _answer(asked, reply_of(outcome))
            except Exception as error:  # noqa: BLE001 -- told to whoever answers, as `post` would raise it
                found = error
            answered(found)

        self._sender.begin(request_id, asked.record, settled)

    def _asked(
        self,
        key: ApiKey,
        container: str,
        body: bytes,
        request_id: str,
        idempotency_key: str | None,
        traceparent: str,
    ) -> _Asked:
        try:
            request = request_from_body(OrgId(key.org_id), container, parse_strict(body))
        except MalformedJson as error:
            raise malformed(str(error), status=422 if error.is_json else 400) from error
        except RequestInvalid as error:
            raise invalid(error.problems) from error
        check_idempotency_key(idempotency_key)
        now_ms = time.time_ns() // 1_000_000
        record = clone_record(
            request,
            requested_by=f"key:{key.key_id}",
            requested_at_ms=now_ms,
            idempotency_key=idempotency_key,
        )
        canonical = canonical_bytes_of(request, record["orgId"], record["containerId"], record["projectId"])
        return _Asked(
            outgoing(
                "CloneRequested",
                record,
                request_id=request_id,
                at_ms=now_ms,
                traceparent=traceparent,
                topic_prefix=self._topic_prefix,
                reply_partition=self._reply_partition,
            ),
            job_name_of_canonical(canonical),
            format_id("cnt", request.container_id),
        )


def check_idempotency_key(idempotency_key: str | None) -> None:
    """1 to 255 printable ASCII characters, where there is one. Raises ApiError."""
    if idempotency_key is None:
        return
    fits = 1 <= len(idempotency_key) <= MAX_IDEMPOTENCY_KEY_CHARACTERS
    if not fits or not idempotency_key.isascii() or not idempotency_key.isprintable():
        rule = f"must have 1 to {MAX_IDEMPOTENCY_KEY_CHARACTERS} printable ASCII characters"
        raise invalid([FieldProblem("Idempotency-Key", rule)])


def refusal(reply: CloneReply) -> ApiError:
    """The error that a refused request is answered with: the same code over HTTP as over Kafka."""
    code = ErrorCode(reply["code"] or ErrorCode.INTERNAL)
    details = reply["details"]
    return ApiError(
        code,
        reply["message"] or "The request was refused.",
        status=HTTP_STATUS.get(code, 409),
        details=None if details is None else json.loads(details),
        retry_after_seconds=5 if code is ErrorCode.RATE_LIMITED else None,
    )


def _answer(asked: _Asked, reply: CloneReply | None) -> Answer:
    if reply is not None and reply["outcome"] == "refused":
        raise refusal(reply)
    return _accepted(asked.job, asked.container, replayed=reply is not None and reply["outcome"] == "replayed")


def _accepted(job: str, container: str, *, replayed: bool) -> Answer:
    location = f"/v1/jobs/{job}"
    # Rendered from the request alone, so that every replay gets the same bytes; nothing in it needs escaping.
    body = (
        f'{{"jobId":"{job}","kind":"{KIND}","status":"running","containerId":"{container}","locationUrl":"{location}"}}'
    )
    headers: tuple[tuple[bytes, bytes], ...] = (_JSON, (b"location", location.encode()))
    if replayed:
        headers = (*headers, (b"idempotent-replayed", b"true"))
    return Answer(202, body.encode(), headers)
