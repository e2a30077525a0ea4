"""What fails, and what is answered then. Brokers that are not there are real addresses where nobody listens."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from clonepost.localstack.ports import free_port
from clonepost.run import api, process
from producer.app import Application
from producer.auth import KeyRing
from producer.ingest.cancel import CancelRoute
from producer.ingest.clone import CloneRoute
from producer.ingest.sender import Sender
from producer.ingest.verdicts import Verdicts
from producer.pages import Readiness, open_routes
from producer.ratelimit import CountedOnly
from producer.routing import Gate
from producer.wire import LINGER_SECONDS
from runtime.async_producer import AsyncProducer
from runtime.settings import Settings
from storage.admin import create_database, drop_database
from storage.keys import ApiKey, hash_secret
from tests.awaiting import eventually
from tests.conftest import test_settings
from tests.e2e.pipeline import Pipeline
from tests.http.answers import refused
from tests.http.judge import SILENCE, Judge
from tests.servers import database_at, database_away

KEY = "lp_test_k_s"
BODY = {"projectId": str(uuid.UUID(int=1)), "sourcePlatformPostId": "x"}


def test_an_api_that_cannot_renew_its_keys_ends(settings: Settings, postgres: str, tmp_path: Path) -> None:
    """A database without our tables is no outage: with stale keys for ever, or none, it would only look alive."""
    name = f"empty_{uuid.uuid4().hex[:12]}"
    create_database(postgres, name)
    service = Pipeline(settings, tmp_path, {"DATABASE_URL": database_at(postgres, name)})
    try:
        child = service.launch("api")
        eventually(lambda: child.check() is not None, what="the process ends")
        assert "api_keys" in service.log("api")
    finally:
        service.close()
        drop_database(postgres, name)


@pytest.fixture
def anyio_backend() -> str:
    """The event loop of the API."""
    return "asyncio"


@asynccontextmanager
async def without_a_broker(**changes: Any) -> AsyncIterator[httpx.AsyncClient]:
    """The application on a producer that reaches nobody."""
    loop = asyncio.get_running_loop()
    settings = Settings(kafka={"bootstrap.servers": f"127.0.0.1:{free_port()}", "log_level": "0"})
    producer = AsyncProducer(settings, loop, **{"linger.ms": 0, **changes})
    keys = KeyRing({"k": ApiKey("k", uuid.UUID(int=2), hash_secret("s"), frozenset("*"), "partner")})
    sender = Sender(producer, Verdicts(loop, wait_ms=1_000))

    async def nothing(org_id: uuid.UUID, job_id: uuid.UUID) -> uuid.UUID:
        return job_id

    application = Application(
        Gate(keys, CountedOnly()),
        CloneRoute(sender, reply_partition=0, topic_prefix=""),
        CancelRoute(sender, nothing, reply_partition=0, topic_prefix=""),
        [],
        open_routes(Readiness({})),
    )
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://api", headers={"X-Api-Key": KEY}) as client:
        yield client
    await asyncio.to_thread(producer.close)


def path() -> str:
    return f"/v1/content/{uuid.uuid4()}/clone-from-post"


@pytest.mark.anyio
async def test_a_broker_that_does_not_acknowledge_is_503_and_says_so() -> None:
    async with without_a_broker(**{"delivery.timeout.ms": 300}) as client:
        for answer in (await client.post(path(), json=BODY), await client.post(f"/v1/jobs/{uuid.uuid4()}/cancel")):
            error = refused(answer, 503, "UNAVAILABLE")
            assert answer.headers["retry-after"] == "1"
            assert "unknown" in error["message"]


@pytest.mark.anyio
async def test_a_full_queue_is_503_at_once() -> None:
    async with without_a_broker(**{"queue.buffering.max.messages": 1, "delivery.timeout.ms": 60_000}) as client:
        both = {asyncio.create_task(client.post(path(), json=BODY)) for _ in range(2)}
        # One waits for an acknowledgement that does not come; the other finds no room.
        (done,), (waiting,) = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        answer = done.result()
        refused(answer, 503, "UNAVAILABLE")
        assert answer.headers["retry-after"] == "1"
        assert "not taken" in answer.json()["error"]["message"]
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting


@pytest.fixture
def own(settings: Settings, tmp_path: Path) -> Iterator[Pipeline]:
    """An API process of the test's own, not started yet."""
    service = Pipeline(settings, tmp_path)
    yield service
    service.close()


def test_without_postgres_post_goes_on_and_get_is_503(own: Pipeline, settings: Settings, postgres: str) -> None:
    judge = Judge(settings)
    try:
        own.start("api")
        tenant = own.tenant()
        with own.client(tenant) as client, database_away(postgres, settings.database_url.get_secret_value()):
            eventually(
                lambda: "postgres" in client.get("/readyz").json().get("missing", {}), what="readiness names Postgres"
            )
            assert client.get("/readyz").status_code == 200
            assert client.get("/healthz").json() == {"status": "ok"}
            for _ in range(3):
                answer = client.get(f"/v1/jobs/{uuid.uuid4()}")
                refused(answer, 503, "UNAVAILABLE")
                assert answer.headers["retry-after"] == "1"
                assert client.post(path(), json=tenant.body()).status_code == 202
            eventually(lambda: "keys_stale" in own.log("api"), what="the keys could not be refreshed")
            assert client.post(path(), json=tenant.body()).status_code == 202
        with own.client(tenant) as client:
            eventually(lambda: client.get("/v1/whoami").status_code == 200, what="reads come back")
    finally:
        judge.close()


def test_before_kafka_answers_the_process_lives_and_says_what_is_missing(
    settings: Settings, tmp_path: Path, database_url: str, topic_prefix: str
) -> None:
    nowhere = test_settings(f"127.0.0.1:{free_port()}", database_url, topic_prefix)
    service = Pipeline(nowhere, tmp_path)
    try:
        child = service.launch("api")
        with httpx.Client(base_url=service.address, timeout=60, trust_env=False) as client:
            eventually(lambda: _answers(client), what="the process answers")
            assert client.get("/healthz").json() == {"status": "ok"}
            error = refused(client.get("/readyz"), 503, "UNAVAILABLE")
            assert list(error["details"]["missing"]) == ["kafka"]
            for method, place in (("POST", path()), ("GET", "/v1/whoami"), ("GET", "/nowhere")):
                answer = client.request(method, place)
                refused(answer, 503, "UNAVAILABLE")
                assert answer.headers["retry-after"] == "1"
        child.ask_to_stop()
        child.await_stop(60)
        assert "role_stopped" in service.log("api")
    finally:
        service.close()


def test_a_taken_port_is_said_plainly(settings: Settings, tmp_path: Path) -> None:
    service = Pipeline(settings, tmp_path)
    taken = {"CLONEPOST_HTTP_PORT": str(service.port)}
    other = Pipeline(settings, tmp_path / "other", taken)
    try:
        service.start("api")
        second = other.launch("api")
        eventually(lambda: "role_halted" in other.log("api"), what="the second one gives up")
        assert f"cannot listen on 127.0.0.1:{service.port}" in other.log("api")
        second.await_stop(60)
    finally:
        other.close()
        service.close()


def test_a_stop_lets_the_requests_in_hand_end(own: Pipeline, settings: Settings) -> None:
    judge = Judge(settings)
    try:
        own.start("api")
        tenant = own.tenant()
        containers = [uuid.uuid4() for _ in range(8)]
        for container in containers:
            judge.verdicts[str(container)] = SILENCE
        with ThreadPoolExecutor(1) as pool:
            asks = [(container, tenant.body()) for container in containers]
            answers = pool.submit(own.post_many, tenant, asks)
            for container in containers:
                judge.request_for(container)
            own.roles["api"].ask_to_stop()
            # They wait for a verdict that never comes, and are answered none the less.
            assert [answer.status_code for answer in answers.result()] == [202] * 8
        own.stop("api")
        assert "role_stopped" in own.log("api")
        assert '"level": "error"' not in own.log("api")
    finally:
        judge.close()


def test_the_bounds_leave_time_to_stop_within_ten_seconds() -> None:
    longest_post_seconds = api._DELIVERY_TIMEOUT_MS / 1000 + Settings.model_fields["reply_wait_ms"].default / 1000
    assert LINGER_SECONDS + longest_post_seconds < api._DRAIN_SECONDS < process.IN_HAND_SECONDS < process.STOP_SECONDS


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx.HTTPError:
        return False
