"""Every answer has its request id, every error its envelope: unknown routes, wrong methods, what is no HTTP at all."""

import json
import re
import socket
import uuid
from urllib.parse import urlsplit

import httpx
import pytest

from tests.e2e.pipeline import Pipeline, Tenant
from tests.http.answers import REQUEST_ID, refused

# The same in every worker: it is part of the names of tests.
SOME_ID = uuid.UUID(int=1)
CLONE = f"/v1/content/{SOME_ID}/clone-from-post"
JOB = f"/v1/jobs/{SOME_ID}"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v2/jobs",
        "/v1/jobs/",
        f"{JOB}/",
        f"{JOB}/unknown",
        f"{CLONE}/",
        "/v1/content//clone-from-post",
        f"/v1/content/{SOME_ID}/x/clone-from-post",
        f"/v1/content/{SOME_ID}%2Fx/clone-from-post",
        "/V1/whoami",
        "/healthz/",
        "/docs/../x",
        "/%00",
        "/v1/jobs/%F0%28%8C%28/unknown",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_route_is_404(client: httpx.Client, method: str, path: str) -> None:
    refused(client.request(method, path), 404, "NOT_FOUND")


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("path", [CLONE, f"{JOB}/cancel"])
def test_a_route_for_post_takes_nothing_else(client: httpx.Client, method: str, path: str) -> None:
    answer = client.request(method, path)
    refused(answer, 405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize(
    "path", [JOB, "/v1/jobs", "/v1/credits", "/v1/whoami", "/healthz", "/metrics", "/openapi.json"]
)
def test_a_route_for_get_takes_nothing_else(client: httpx.Client, method: str, path: str) -> None:
    answer = client.request(method, path)
    refused(answer, 405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", ["/v1/whoami", "/healthz", "/openapi.json", "/v1/unknown", "/v1/jobs/x"])
def test_head_has_what_get_has_without_the_body(client: httpx.Client, path: str) -> None:
    head, get = client.head(path), client.get(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["content-length"] == str(len(get.content))
    assert head.headers["content-type"] == get.headers["content-type"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/openapi.json", "/asyncapi.json", "/docs"])
def test_open_pages_need_no_key_and_are_not_limited(stranger: httpx.Client, path: str) -> None:
    answer = stranger.get(path)
    assert answer.status_code == 200
    assert REQUEST_ID.fullmatch(answer.headers["x-request-id"])
    assert not [name for name in answer.headers if name.startswith("x-ratelimit")]


def test_no_request_id_is_used_twice(stranger: httpx.Client) -> None:
    ids = [stranger.get(path).headers["x-request-id"] for path in ["/healthz", "/nowhere"] * 50]
    assert len(set(ids)) == 100


def test_a_request_id_of_the_caller_is_not_taken_over(client: httpx.Client) -> None:
    answer = client.get("/v1/whoami", headers={"X-Request-Id": "req_00000000000000000000000000"})
    assert answer.headers["x-request-id"] != "req_00000000000000000000000000"


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nX: a\x00b\r\n\r\n",
        b"GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n" + b"".join(b"X%d: a\r\n" % number for number in range(20_000)) + b"\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_what_is_no_http_gets_the_envelope_too(service: Pipeline, sent: bytes) -> None:
    head, body = raw(service, sent)
    answer = httpx.Response(400, headers=head, content=body)
    refused(answer, 400, "VALIDATION_FAILED")
    assert answer.headers["connection"] == "close"
    assert answer.headers["content-length"] == str(len(body))


@pytest.mark.parametrize(
    "begun",
    [
        b"GET /healthz HTTP/1.1\r\nX: ",
        b"GET /",
        b"POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " % CLONE.encode(),
    ],
    ids=["header", "target", "trailer"],
)
def test_a_line_without_end_is_not_kept_for_ever(service: Pipeline, begun: bytes) -> None:
    place = urlsplit(service.address)
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=60) as connection:
        connection.sendall(begun)
        # Far more than what the system's buffers hold: only a server that hangs up ends this.
        with pytest.raises(ConnectionError):
            connection.sendall(b"a" * 64 * 1024 * 1024)


def test_a_client_that_asks_first_is_refused_before_it_sends_its_body(service: Pipeline, tenant: Tenant) -> None:
    key = tenant.api_key.encode()
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nX-Api-Key: %s\r\nContent-Type: application/json\r\nConnection: close\r\n"
    ask = head % (CLONE.encode(), key) + b"Content-Length: 999999\r\nExpect: 100-continue\r\n\r\n"
    headers, body = raw(service, ask, status=b"413")
    refused(httpx.Response(413, headers=headers, content=body), 413, "VALIDATION_FAILED")


def test_pipelined_requests_are_answered_in_order(service: Pipeline) -> None:
    last = b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    received = exchange(service, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 3 + last)
    assert re.findall(rb"HTTP/1\.1 (\d+)", received) == [b"200", b"200", b"200", b"404"]


def test_errors_leak_nothing_of_the_request(client: httpx.Client, tenant: Tenant) -> None:
    answer = client.post(CLONE, json=tenant.body(projectId="secret-looking-text", sourcePlatformPostId="x" * 200))
    assert "secret-looking-text" not in json.dumps(answer.json())


def raw(service: Pipeline, sent: bytes, *, status: bytes = b"400") -> tuple[list[tuple[str, str]], bytes]:
    """The headers and the body of what comes back."""
    head, _, body = exchange(service, sent).partition(b"\r\n\r\n")
    line, *headers = head.split(b"\r\n")
    assert line.split()[1] == status
    pairs = [header.decode().split(": ", 1) for header in headers]
    return [(name, value) for name, value in pairs], body


def exchange(service: Pipeline, sent: bytes) -> bytes:
    """Everything that comes back until the server hangs up."""
    place = urlsplit(service.address)
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=60) as connection:
        received = b""
        try:
            connection.sendall(sent)
            while part := connection.recv(65_536):
                received += part
        except ConnectionError:
            # The server hung up while this side still wrote; what it said before counts.
            pass
        return received
