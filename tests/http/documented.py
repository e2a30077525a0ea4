"""Every answer that a test of this room gets is held against /openapi.json: its status, its body, its headers."""

import json
import re
from functools import cache
from typing import Any, Final

import httpx
import jsonschema

from producer.openapi import document

# The transport's own, of any answer.
_TRANSPORT: Final = frozenset({"date", "content-type", "content-length", "transfer-encoding", "connection"})


def hold(answer: httpx.Response) -> None:
    """Fail when the document does not have this answer; calls that it does not have are passed over."""
    responses = _responses(answer.request.method.lower(), answer.request.url.path)
    if responses is None:
        return
    what = f"{answer.request.method} {answer.request.url.path}: {answer.status_code}"
    assert str(answer.status_code) in responses, f"{what} is not documented"
    documented = responses[str(answer.status_code)]
    headers = {name.lower() for name in documented.get("headers", {})}
    assert set(answer.headers) - _TRANSPORT <= headers, f"{what} has headers that are not documented"
    content = documented.get("content", {})
    media_type = answer.headers.get("content-type", "").partition(";")[0]
    assert media_type in content or not content, f"{what} is {media_type}"
    if media_type == "application/json":
        answer.read()
        schema = {**content[media_type]["schema"], "components": _document()["components"]}
        jsonschema.Draft202012Validator(schema).validate(answer.json())


@cache
def _document() -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(json.dumps(document()))
    return whole


def _responses(method: str, path: str) -> dict[str, Any] | None:
    for template, operations in _document()["paths"].items():
        if re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)), path):
            found: dict[str, Any] | None = operations.get(method, {}).get("responses")
            return found
    return None
