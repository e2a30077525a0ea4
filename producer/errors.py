"""The error envelope: one shape for every 4xx and 5xx."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from schemas.errors import HTTP_STATUS, ErrorCode
from schemas.request_rules import FieldProblem


class Answer(NamedTuple):
    """A finished response; header names are lower case."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


class ApiError(Exception):
    """A request that ends in an error envelope."""

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        status: int | None = None,
        details: Mapping[str, Any] | None = None,
        retry_after_seconds: int | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = HTTP_STATUS.get(code, 500) if status is None else status
        self.details = details
        self.retry_after_seconds = retry_after_seconds
        self.headers = headers

    def answer(self, request_id: str) -> Answer:
        """Render the envelope. `details` is absent when there are none."""
        error: dict[str, Any] = {"code": self.code.value, "message": self.message, "requestId": request_id}
        if self.details:
            error["details"] = self.details
        headers = self.headers
        if self.retry_after_seconds is not None:
            headers = (*headers, (b"retry-after", str(self.retry_after_seconds).encode()))
        return json_answer(self.status, {"error": error}, headers)


def json_answer(status: int, body: Any, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Answer:
    """A JSON response, compact."""
    encoded = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return Answer(status, encoded, ((b"content-type", b"application/json"), *headers))


def invalid(problems: list[FieldProblem], *, status: int = 422) -> ApiError:
    """VALIDATION_FAILED that names every field."""
    return ApiError(
        ErrorCode.VALIDATION_FAILED,
        "The request is not valid — see details.fields.",
        status=status,
        details={"fields": [{"field": problem.field, "message": problem.message} for problem in problems]},
    )


def malformed(message: str, *, status: int) -> ApiError:
    """VALIDATION_FAILED for a body that is no JSON object at all."""
    return ApiError(
        ErrorCode.VALIDATION_FAILED, message, status=status, details={"fields": [{"field": "", "message": message}]}
    )


def unavailable(message: str, *, details: Mapping[str, Any] | None = None) -> ApiError:
    """UNAVAILABLE: the outcome is unknown or the answer cannot be had now; repeating is safe, a second from now."""
    return ApiError(ErrorCode.UNAVAILABLE, message, retry_after_seconds=1, details=details)
