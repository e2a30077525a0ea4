"""POST /v1/jobs/{jobId}/cancel."""

import json
import time
from collections.abc import Awaitable, Callable
from uuid import UUID

from producer.errors import Answer, ApiError, json_answer
from producer.ingest.clone import refusal
from producer.ingest.requests import outgoing
from producer.ingest.sender import Sender
from schemas.errors import ErrorCode
from schemas.events import CloneCancelRequested
from schemas.ids import format_id
from storage.keys import ApiKey

ContainerOfJob = Callable[[UUID, UUID], Awaitable[UUID]]
"""(organisation, job) to its container; raises ApiError NOT_FOUND, or UNAVAILABLE when that is not known yet."""


class CancelRoute:
    """Takes one cancel in."""

    def __init__(
        self, sender: Sender, container_of_job: ContainerOfJob, *, reply_partition: int, topic_prefix: str
    ) -> None:
        self._sender = sender
        self._container_of_job = container_of_job
        self._reply_partition = reply_partition
        self._topic_prefix = topic_prefix

    async def post(self, key: ApiKey, job_id: UUID, *, request_id: str, traceparent: str) -> Answer:
        """202 requested, 200 ended already, 409 where the stage refuses, 404. Raises ApiError."""
        container_id = await self._container_of_job(key.org_id, job_id)
        now_ms = time.time_ns() // 1_000_000
        record: CloneCancelRequested = {
            "orgId": str(key.org_id),
            "containerId": str(container_id),
            "jobId": str(job_id),
            "requestedBy": f"key:{key.key_id}",
            "requestedAt": now_ms,
            "reason": None,
        }
        reply = await self._sender.ask(
            request_id,
            outgoing(
                "CloneCancelRequested",
                record,
                request_id=request_id,
                at_ms=now_ms,
                traceparent=traceparent,
                topic_prefix=self._topic_prefix,
                reply_partition=self._reply_partition,
            ),
        )
        job = format_id("job", job_id)
        if reply is None or reply["outcome"] != "refused":
            return json_answer(202, {"jobId": job, "accepted": True})
        details = json.loads(reply["details"] or "{}")
        if reply["code"] == ErrorCode.CONFLICT and "reason" in details:
            return json_answer(200, {"jobId": job, "accepted": False, "reason": details["reason"]})
        error: ApiError = refusal(reply)
        raise error
