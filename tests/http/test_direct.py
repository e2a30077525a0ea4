"""Clone requests on raw connections: those that are served without ASGI, those that are not, and the two in turn."""

import asyncio
import json
import re
import socket
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn

from clonepost.localstack.ports import free_port
from clonepost.run.api import server_config
from producer import wire
from producer.app import Respond
from producer.errors import Answer, ApiError, json_answer
from producer.ingest.clone import CloneRoute
from producer.ingest.sender import Sender
from producer.ingest.verdicts import Verdicts
from runtime.async_producer import AsyncProducer
from runtime.publishing import Outgoing
from runtime.settings import Settings
from schemas.ids import format_id
from storage.keys import ApiKey
from tests.e2e.pipeline import Pipeline, Tenant
from tests.http.judge import SILENCE, Judge

ANSWER = re.compile(rb"HTTP/1\.1 (\d+) [^\r]*\r\n(.*?)\r\n\r\n", re.DOTALL)


def post(tenant: Tenant, container: uuid.UUID, *headers: str, body: bytes | None = None, length: bool = True) -> bytes:
    """A clone request as bytes."""
    content = json.dumps(tenant.body()).encode() if body is None else body
    lines = [
        f"POST /v1/content/{container}/clone-from-post HTTP/1.1",
        "Host: x",
        f"X-Api-Key: {tenant.api_key}",
        "Content-Type: application/json",
        *([f"Content-Length: {len(content)}"] if length else []),
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


class Connection:
    """One connection, and the answers that come on it."""

    def __init__(self, service: Pipeline) -> None:
        place = urlsplit(service.address)
        self.socket = socket.create_connection((place.hostname or "", place.port or 0), timeout=60)
        self._received = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """The next answer: status, headers, body."""
        while (found := ANSWER.match(self._received)) is None:
            self._more()
        headers = dict(line.split(": ", 1) for line in found[2].decode().split("\r\n"))
        end = found.end() + int(headers["content-length"])
        while len(self._received) < end:
            self._more()
        body, self._received = self._received[found.end() : end], self._received[end:]
        return int(found[1]), headers, body

    def ended(self) -> bool:
        """Whether the server hangs up, with nothing more said."""
        return self._received == b"" and self.socket.recv(1) == b""

    def _more(self) -> None:
        part = self.socket.recv(65_536)
        assert part, f"the server hung up after {self._received!r}"
        self._received += part


@contextmanager
def connected(service: Pipeline) -> Iterator[Connection]:
    """A connection of one's own."""
    connection = Connection(service)
    with connection.socket:
        yield connection


def container_of(answer: tuple[int, dict[str, str], bytes]) -> str:
    status, _, body = answer
    assert status == 202, body
    return str(json.loads(body)["containerId"])


def test_one_connection_serves_request_after_request_on_both_ways(service: Pipeline, tenant: Tenant) -> None:
    with connected(service) as connection:
        ids = set()
        for _ in range(3):
            container = uuid.uuid4()
            connection.send(post(tenant, container))
            answer = connection.answer()
            assert container_of(answer) == format_id("cnt", container)
            ids.add(answer[1]["x-request-id"])
            assert {"date", "location", "x-ratelimit-remaining"} <= answer[1].keys()
            connection.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.answer()[0] == 200
        assert len(ids) == 3


def test_pipelined_requests_are_answered_in_the_order_they_came(
    service: Pipeline, tenant: Tenant, judge: Judge
) -> None:
    first, second, third = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    # The first waits for a verdict that never comes; those behind it are ready at once.
    judge.verdicts[str(first)] = SILENCE
    with connected(service) as connection:
        health = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        connection.send(post(tenant, first) + health + post(tenant, second) + health + post(tenant, third))
        assert container_of(connection.answer()) == format_id("cnt", first)
        assert connection.answer()[2] == b'{"status":"ok"}'
        assert container_of(connection.answer()) == format_id("cnt", second)
        assert connection.answer()[2] == b'{"status":"ok"}'
        assert container_of(connection.answer()) == format_id("cnt", third)
        # The connection goes on as if nothing had been.
        connection.send(post(tenant, uuid.uuid4()))
        assert connection.answer()[0] == 202


def test_refusals_that_need_no_wait_keep_their_place_too(service: Pipeline, tenant: Tenant) -> None:
    container = uuid.uuid4()
    with connected(service) as connection:
        bad = post(tenant, uuid.uuid4(), body=b"{")
        connection.send(bad + bad + post(tenant, container) + bad)
        assert [connection.answer()[0] for _ in range(2)] == [400, 400]
        assert container_of(connection.answer()) == format_id("cnt", container)
        assert connection.answer()[0] == 400


def test_a_message_that_comes_in_parts_is_one_request(service: Pipeline, tenant: Tenant, judge: Judge) -> None:
    for cut in (10, 60, 150, -100, -1):
        container = uuid.uuid4()
        whole = post(tenant, container)
        with connected(service) as connection:
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.send(whole[:cut])
            connection.send(whole[cut:])
            assert container_of(connection.answer()) == format_id("cnt", container)
        assert judge.request_for(container).record["containerId"] == str(container)


def test_what_the_head_deserves_is_said_before_the_body_has_come(service: Pipeline, tenant: Tenant) -> None:
    with connected(service) as connection:
        connection.send(
            post(tenant, uuid.uuid4(), "Content-Length: 50", body=b"{", length=False).replace(b"lp_", b"no_")
        )
        assert connection.answer()[0] == 401


def test_chunked_bodies_and_those_that_ask_first_are_served(service: Pipeline, tenant: Tenant) -> None:
    content = json.dumps(tenant.body()).encode()
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content)
    with connected(service) as connection:
        connection.send(post(tenant, uuid.uuid4(), "Transfer-Encoding: chunked", body=chunked, length=False))
        assert connection.answer()[0] == 202
        asking = post(tenant, uuid.uuid4(), "Expect: 100-continue")
        connection.send(asking[: -len(content)])
        go_on = b"HTTP/1.1 100 Continue\r\n\r\n"
        assert connection.socket.recv(len(go_on), socket.MSG_WAITALL) == go_on
        connection.send(content)
        assert connection.answer()[0] == 202


@pytest.mark.parametrize("body", [None, b"{"])
def test_connection_close_is_obeyed_and_what_comes_behind_is_not_served(
    service: Pipeline, tenant: Tenant, judge: Judge, body: bytes | None
) -> None:
    behind = uuid.uuid4()
    with connected(service) as connection:
        connection.send(post(tenant, uuid.uuid4(), "Connection: close", body=body) + post(tenant, behind))
        status, headers, _ = connection.answer()
        assert (status, headers["connection"]) == (202 if body is None else 400, "close")
        assert connection.ended()
    # A later request has been through the same process and log; the one behind has not.
    last = uuid.uuid4()
    with connected(service) as connection:
        connection.send(post(tenant, last))
        assert connection.answer()[0] == 202
    judge.request_for(last)
    assert str(behind) not in {seen.record["containerId"] for seen in judge.seen}


def test_http_1_0_gets_its_answer_and_the_end(service: Pipeline, tenant: Tenant) -> None:
    with connected(service) as connection:
        connection.send(post(tenant, uuid.uuid4()).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        assert connection.answer()[0] == 202
        assert connection.ended()


def test_a_body_above_the_limit_is_refused_in_one_piece_too(service: Pipeline, tenant: Tenant) -> None:
    with connected(service) as connection:
        connection.send(post(tenant, uuid.uuid4(), body=b" " * (128 * 1024 + 1)))
        assert connection.answer()[0] == 413
        connection.send(post(tenant, uuid.uuid4()))
        assert connection.answer()[0] == 202


def test_who_leaves_while_waiting_disturbs_nobody(service: Pipeline, tenant: Tenant, judge: Judge) -> None:
    gone = [uuid.uuid4() for _ in range(5)]
    for container in gone:
        judge.verdicts[str(container)] = SILENCE
        with connected(service) as connection:
            connection.send(post(tenant, container))
            seen = judge.request_for(container)
        judge.reply(seen, {})
    with connected(service) as connection:
        connection.send(post(tenant, uuid.uuid4()))
        assert connection.answer()[0] == 202
    assert '"level": "error"' not in service.log("api")


def test_a_stop_answers_what_is_in_hand_and_closes_what_is_idle(settings: Settings, tmp_path: Path) -> None:
    judge, own = Judge(settings), Pipeline(settings, tmp_path)
    try:
        own.start("api")
        tenant = own.tenant()
        container, behind = uuid.uuid4(), uuid.uuid4()
        judge.verdicts[str(container)] = SILENCE
        with connected(own) as idle, connected(own) as waiting, connected(own) as pipelined:
            idle.send(post(tenant, uuid.uuid4()))
            assert idle.answer()[0] == 202
            judge.verdicts[str(behind)] = SILENCE
            waiting.send(post(tenant, container))
            pipelined.send(post(tenant, behind) + post(tenant, uuid.uuid4()))
            judge.request_for(container)
            judge.request_for(behind)
            own.roles["api"].ask_to_stop()
            assert idle.ended()
            status, headers, _ = waiting.answer()
            assert (status, headers["connection"]) == (202, "close")
            assert waiting.ended()
            assert [pipelined.answer()[0] for _ in range(2)] == [202, 202]
            assert pipelined.ended()
        own.stop("api")
        assert '"level": "error"' not in own.log("api")
    finally:
        own.close()
        judge.close()


class _Answering:
    """Serves clone requests without ASGI, and nothing else."""

    async def __call__(self, _scope: object, _receive: object, _send: object) -> None:
        raise AssertionError("nothing comes this way")

    def begin_clone(self, _container: str, _sent: Mapping[bytes, bytes], _body: bytes, respond: Respond) -> None:
        answer = json_answer(202, {})
        respond(answer._replace(headers=(*answer.headers, (b"content-length", b"%d" % len(answer.body)))))


@pytest.fixture
def anyio_backend() -> str:
    """The event loop of the API."""
    return "asyncio"


@pytest.mark.anyio
async def test_a_connection_that_waits_too_long_for_its_next_request_is_closed() -> None:
    config = server_config(_Answering())
    config.timeout_keep_alive = 1
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server._serve([listening]))
    try:
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        sent = b"POST /v1/content/x/clone-from-post HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
        begun = asyncio.get_running_loop().time()
        for _ in range(3):
            writer.write(sent * 2)
            for _ in range(2):
                assert b" 202 " in await reader.readuntil(b"\r\n\r\n{}")
        assert await reader.read() == b""
        assert asyncio.get_running_loop().time() - begun >= 0.9, "not before its time"
        writer.close()
    finally:
        server.should_exit = True
        await serving


@pytest.mark.anyio
async def test_a_request_that_meets_a_stop_on_an_idle_connection_is_answered_and_is_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wire, "LINGER_SECONDS", 600)
    server = uvicorn.Server(server_config(_Answering()))
    listening = socket.create_server(("127.0.0.1", 0))
    place = listening.getsockname()
    serving = asyncio.create_task(server._serve([listening]))
    sent = b"POST /v1/content/x/clone-from-post HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
    reader, writer = await asyncio.open_connection(*place)
    writer.write(sent)
    assert b"connection: close" not in await reader.readuntil(b"\r\n\r\n{}")
    (connection,) = server.server_state.connections
    # What a stop does to each connection.
    connection.shutdown()
    writer.write(sent)
    assert b"connection: close" in await reader.readuntil(b"\r\n\r\n{}")
    assert await reader.read() == b""
    writer.close()
    server.should_exit = True
    await serving


@pytest.mark.anyio
async def test_a_stop_closes_an_idle_connection_after_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "LINGER_SECONDS", 0.01)
    server = uvicorn.Server(server_config(_Answering()))
    listening = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server._serve([listening]))
    reader, writer = await asyncio.open_connection(*listening.getsockname())
    server.should_exit = True
    assert await reader.read() == b""
    writer.close()
    await serving


@asynccontextmanager
async def cut_off(**changes: Any) -> AsyncIterator[Callable[[], Awaitable[Answer | Exception]]]:
    """Asks a route whose producer reaches nobody, without ASGI."""
    loop = asyncio.get_running_loop()
    settings = Settings(kafka={"bootstrap.servers": f"127.0.0.1:{free_port()}", "log_level": "0"})
    producer = AsyncProducer(settings, loop, **{"linger.ms": 0, **changes})
    route = CloneRoute(Sender(producer, Verdicts(loop, wait_ms=1_000)), reply_partition=0, topic_prefix="")
    key = ApiKey("k", uuid.UUID(int=2), b"", frozenset("*"), "partner")

    def ask() -> Awaitable[Answer | Exception]:
        found: asyncio.Future[Answer | Exception] = loop.create_future()
        route.begin(
            key,
            str(uuid.uuid4()),
            json.dumps({"projectId": str(uuid.UUID(int=1)), "sourcePlatformPostId": "x"}).encode(),
            request_id=str(uuid.uuid4()),
            idempotency_key=None,
            traceparent="",
            answered=found.set_result,
        )
        return found

    yield ask
    await asyncio.to_thread(producer.close)


@pytest.mark.anyio
async def test_a_broker_that_does_not_acknowledge_is_told_as_503() -> None:
    async with cut_off(**{"delivery.timeout.ms": 300}) as ask:
        error = await ask()
        assert isinstance(error, ApiError)
        assert (error.status, error.retry_after_seconds) == (503, 1)
        assert "unknown" in error.message


@pytest.mark.anyio
async def test_a_full_queue_is_told_at_once_and_nobody_waits_for_it() -> None:
    async with cut_off(**{"queue.buffering.max.messages": 5, "delivery.timeout.ms": 300}) as ask:
        waiting: list[Awaitable[Answer | Exception]] = []

        def fill() -> None:
            while len(waiting) <= 5:
                waiting.append(ask())

        with pytest.raises(ApiError, match="not taken") as error:
            fill()
        assert error.value.status == 503
        assert waiting
        assert all(isinstance(found, ApiError) for found in await asyncio.gather(*waiting))


@pytest.mark.anyio
async def test_a_call_back_that_fails_leaves_those_behind_it_their_turn() -> None:
    loop = asyncio.get_running_loop()
    settings = Settings(kafka={"bootstrap.servers": f"127.0.0.1:{free_port()}", "log_level": "0"})
    changes: dict[str, Any] = {"linger.ms": 0, "delivery.timeout.ms": 300}
    producer = AsyncProducer(settings, loop, **changes)
    failed: asyncio.Future[object] = loop.create_future()
    loop.set_exception_handler(lambda _loop, context: failed.set_result(context["exception"]))
    told: asyncio.Future[str | None] = loop.create_future()

    def fails(_reason: str | None) -> None:
        raise ValueError("a defect")

    producer.send(Outgoing("t", b"k", b"v"), fails)
    producer.send(Outgoing("t", b"k", b"v"), told.set_result)
    assert await told == "_MSG_TIMED_OUT"
    assert isinstance(await failed, ValueError)
    await asyncio.to_thread(producer.close)
