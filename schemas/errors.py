"""Error codes, the same over HTTP and Kafka. A code never changes its meaning."""

from enum import StrEnum
from typing import Final


class ErrorCode(StrEnum):
    """Every code that an answer, a CloneRejected, a job or a variation can carry."""

    VALIDATION_FAILED = "VALIDATION_FAILED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN_SCOPE = "FORBIDDEN_SCOPE"
    NOT_FOUND = "NOT_FOUND"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    CONFLICT = "CONFLICT"
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"
    BILLING_EXHAUSTED = "BILLING_EXHAUSTED"
    RATE_LIMITED = "RATE_LIMITED"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    UNAVAILABLE = "UNAVAILABLE"
    INTERNAL = "INTERNAL"
    # Of a variation, or of a job none of whose variations succeeded.
    PROVIDER_ERROR = "PROVIDER_ERROR"
    QUALITY_GATE = "QUALITY_GATE"
    LANGUAGE_UNSUPPORTED = "LANGUAGE_UNSUPPORTED"
    WORKER_LOST = "WORKER_LOST"


HTTP_STATUS: Final[dict[ErrorCode, int]] = {
    ErrorCode.VALIDATION_FAILED: 422,
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.FORBIDDEN_SCOPE: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.METHOD_NOT_ALLOWED: 405,
    ErrorCode.CONFLICT: 409,
    ErrorCode.IDEMPOTENCY_CONFLICT: 409,
    ErrorCode.BILLING_EXHAUSTED: 402,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.DEADLINE_EXCEEDED: 409,
    ErrorCode.UNAVAILABLE: 503,
    ErrorCode.INTERNAL: 500,
}
