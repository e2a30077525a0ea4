"""What every answer must look like."""

import re
from typing import Any, Final

import httpx

REQUEST_ID: Final = re.compile(r"req_[0-9A-HJKMNP-TV-Z]{26}")


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The error of an answer, which must be the envelope, whole and nothing else."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body.keys() == {"error"}
    error: dict[str, Any] = body["error"]
    assert error.keys() - {"details"} == {"code", "message", "requestId"}
    assert error.get("details", True), "details is absent when it is empty"
    assert error["code"] == code
    assert error["message"]
    assert answer.headers["content-type"] == "application/json"
    assert REQUEST_ID.fullmatch(error["requestId"])
    assert answer.headers.get_list("x-request-id") == [error["requestId"]]
    return error


def fields(answer: httpx.Response, status: int = 422) -> list[str]:
    """The names of the fields that an answer finds wrong."""
    error = refused(answer, status, "VALIDATION_FAILED")
    problems = error["details"]["fields"]
    assert all(problem.keys() == {"field", "message"} and problem["message"] for problem in problems)
    return [problem["field"] for problem in problems]
