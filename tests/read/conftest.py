"""The application as the composition root builds it, called in process; only Kafka's answers are the test's own."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from producer.app import Application
from producer.auth import KeyRing
from producer.ingest.cancel import CancelRoute
from producer.ingest.clone import CloneRoute
from producer.ingest.sender import Sender
from producer.ingest.verdicts import Verdicts
from producer.pages import Readiness, open_routes
from producer.ratelimit import CountedOnly
from producer.read.assets import AssetRoutes
from producer.read.coalesced import Coalesced
from producer.read.lookup import Lookup
from producer.read.routes import ReadRoutes
from producer.read.streams import OpenStreams
from producer.read.watch import JobWatch
from producer.routing import Gate
from runtime.errors import BrokerUnavailable, DatabaseUnavailable
from runtime.kafka_admin import TopicEnds
from storage.asset_store import AssetStore, LocalFolder
from storage.reads import Reads, Seen
from tests.builders import TOPIC_ID, Rows


@pytest.fixture
def anyio_backend() -> str:
    """The event loop of the API."""
    return "asyncio"


@pytest.fixture
def rows(database_url: str) -> Iterator[Rows]:
    """Writes what the other processes write."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield Rows(connection)


@dataclass
class Ends:
    """The end offsets of clone.requests, as a broker would say them; None when none answers."""

    offsets: dict[int, int] | None = field(default_factory=dict)
    topic_id: uuid.UUID = TOPIC_ID
    before_answering: Callable[[], Awaitable[object]] | None = None
    asked: int = 0

    async def __call__(self) -> TopicEnds:
        self.asked += 1
        if self.before_answering is not None:
            await self.before_answering()
        if self.offsets is None:
            raise BrokerUnavailable("kafka: _TRANSPORT")
        return TopicEnds(self.topic_id, dict(self.offsets))


class CountedReads(Reads):
    """The queries, counted by name."""

    def __init__(self, database_url: str) -> None:
        super().__init__(database_url, connections=4)
        self.watched: list[int] = []
        self.jobs_read = 0
        self.refusals_read = 0
        self.progress_read = 0
        self.failing = False

    async def changed(self, seen: Any) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
        waited_for: list[Seen] = list(seen)
        self.watched.append(len(waited_for))
        if self.failing:
            raise DatabaseUnavailable("postgres: not in this moment of the test")
        return await super().changed(waited_for)

    async def job(self, org_id: uuid.UUID, job_id: uuid.UUID) -> dict[str, Any] | None:
        self.jobs_read += 1
        return await super().job(org_id, job_id)

    async def refusal(self, org_id: uuid.UUID, job_id: uuid.UUID) -> dict[str, Any] | None:
        found = await super().refusal(org_id, job_id)
        self.refusals_read += 1
        return found

    async def decided_up_to(self, topic_id: uuid.UUID) -> dict[int, int]:
        self.progress_read += 1
        return await super().decided_up_to(topic_id)


@dataclass
class Api:
    """One API process."""

    http: httpx.AsyncClient
    reads: CountedReads
    watch: JobWatch
    ends: Ends
    keys: KeyRing
    streams: OpenStreams

    async def get(self, path: str, key: str, **headers: str) -> httpx.Response:
        """GET with a key that was made just now. Header names have underscores for dashes."""
        if key.split("_")[2] not in (self.keys.keys or {}):
            self.keys.replace(await self.reads.keys())
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.get(path, headers={"X-Api-Key": key, **sent})


STREAMS_PER_KEY = 2


class NoBroker:
    """Takes nothing: these tests send nothing."""

    def send(self, record: object, delivered: object) -> None:
        raise BrokerUnavailable(f"not in this test: {record} {delivered}")


@asynccontextmanager
async def serving(reads: CountedReads, store: AssetStore | None = None) -> AsyncIterator[Api]:
    """One API process around these reads."""
    ends, keys, watch, streams = Ends(), KeyRing(), JobWatch(reads), OpenStreams(most=STREAMS_PER_KEY)
    gate = Gate(keys, CountedOnly())
    lookup = Lookup(reads, Coalesced(ends))
    sender = Sender(NoBroker(), Verdicts(asyncio.get_running_loop(), wait_ms=0))
    application = Application(
        gate,
        CloneRoute(sender, reply_partition=0, topic_prefix=""),
        CancelRoute(sender, lookup.container_of_job, reply_partition=0, topic_prefix=""),
        [*ReadRoutes(reads, lookup, watch, streams).routes(gate), *AssetRoutes(reads, lookup, store).routes(gate)],
        open_routes(Readiness({})),
    )
    await reads.open()
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as http:
        yield Api(http, reads, watch, ends, keys, streams)
    watch.stop()
    await reads.close()


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    """An API process on the test's database, with assets in the test's folder."""
    async with serving(CountedReads(database_url), LocalFolder(tmp_path)) as api:
        yield api
