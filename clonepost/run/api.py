"""`clonepost run api`: HTTP for partners."""

import asyncio
import gc
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import structlog
import uvicorn

from clonepost.listening import BACKLOG, listen
from clonepost.run.process import patiently, require_database, run_role, stop_when, tell_ready
from producer.app import Application
from producer.auth import KeyRing
from producer.ingest.cancel import CancelRoute
from producer.ingest.clone import CloneRoute
from producer.ingest.sender import Sender
from producer.ingest.verdicts import Verdicts
from producer.leases import LeasedLimits
from producer.pages import Readiness, open_routes
from producer.ratelimit import CountedOnly
from producer.read.assets import AssetRoutes
from producer.read.lookup import EndOffsetReader, Lookup
from producer.read.routes import ReadRoutes
from producer.read.streams import OpenStreams
from producer.read.watch import JobWatch
from producer.routing import Gate
from producer.starting import Starting
from producer.wire import EnvelopedHttp
from runtime.async_producer import AsyncProducer
from runtime.errors import DatabaseUnavailable
from runtime.kafka_admin import KafkaAdmin
from runtime.reply_consumer import ReplyConsumer
from runtime.schema_registry import connect
from runtime.settings import Settings
from schemas.topics import REPLIES, REQUESTS
from storage.asset_store import LocalFolder
from storage.rate_buckets import RateBuckets
from storage.reads import Reads

_log = structlog.get_logger(__name__)

_KEY_REFRESH_SECONDS: Final = 2.0
# A POST ends within the delivery timeout and the wait for its verdict, and may come a second after the stop.
_DELIVERY_TIMEOUT_MS: Final = 5_000
_DRAIN_SECONDS: Final = 8
_SERVE_ANYWAY_SECONDS: Final = 15.0
# Longer than a load balancer keeps a connection that nobody uses (a minute, mostly): who closes first does so under a
# request that is on its way.
_KEEP_ALIVE_SECONDS: Final = 75
# More than the requests that one process can have in hand are made of.
_NEW_OBJECTS_A_COLLECTION: Final = 100_000


@dataclass(frozen=True, slots=True)
class _Kafka:
    """What the process holds of Kafka."""

    admin: KafkaAdmin
    requests: str
    verdicts: Verdicts
    replies: ReplyConsumer
    producer: AsyncProducer

    def close(self) -> None:
        self.producer.close()
        self.replies.close()


class _Server(uvicorn.Server):
    """Signals are ours: `stopping` is set by them, and the server drains when it is."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def main() -> None:
    """Run until SIGTERM or SIGINT; requests in hand get up to 8 s to finish."""
    run_role("api", run)


def run(settings: Settings, stopping: threading.Event) -> None:
    """Serve until `stopping` is set."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(_serve(settings, stopping))


def new_loop() -> asyncio.AbstractEventLoop:
    """The event loop of the process."""
    import uvloop

    return uvloop.new_event_loop()


async def _serve(settings: Settings, stopping: threading.Event) -> None:
    loop = asyncio.get_running_loop()
    reads = Reads(require_database(settings))
    buckets = RateBuckets(require_database(settings))
    watch = JobWatch(reads)
    starting = Starting("kafka")
    ready, keys_loaded = asyncio.Event(), asyncio.Event()
    server = _Server(server_config(starting))

    def drain() -> None:
        watch.stop()
        server.should_exit = True
        keys_loaded.set()

    def stop() -> None:
        loop.call_soon_threadsafe(drain)

    stop_when(stopping, stop)
    if settings.http_socket is None:
        # Before anything is waited for: liveness answers, and readiness says what is missing.
        serving = asyncio.create_task(server.serve([listen(settings.http_host, settings.http_port)]))
    else:
        serving = asyncio.create_task(_serve_once_ready(server, settings.http_socket, ready))
    kafka: _Kafka | None = None
    limits = LeasedLimits(buckets)
    tending: list[asyncio.Task[None]] = []
    try:
        await reads.open()
        await buckets.open()
        keys = KeyRing()
        for loop_of_its_own in (_refresh_keys(reads, keys, keys_loaded), limits.run()):
            tending.append(asyncio.create_task(loop_of_its_own))
            # It only ends by a defect; a process that went on without it would let revoked keys in, or nobody.
            tending[-1].add_done_callback(lambda _: stopping.set())
        kafka = await asyncio.to_thread(_connect, settings, loop, stopping)
        gate = Gate(keys, limits if settings.rate_limits else CountedOnly())
        starting.application = _application(settings, kafka, reads, watch, gate)
        # Until then every answer is 503.
        await keys_loaded.wait()
        ready.set()
        _spare_the_collector()
        tell_ready(settings)
        await serving
    finally:
        server.should_exit = True
        ready.set()
        await serving
        if kafka is not None:
            await asyncio.to_thread(kafka.close)
        for task in tending:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await limits.close()
        await buckets.close()
        await reads.close()


def _spare_the_collector() -> None:
    # Requests in hand are let go by their counts of references. Looking through all of them for cycles each time that
    # a few more have come takes a tenth of the process under load; what was made at the start never goes.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS_A_COLLECTION)


async def _serve_once_ready(server: _Server, inherited: int, ready: asyncio.Event) -> None:
    # Others may take from the same socket what this process could not serve yet; what nobody takes waits in it.
    with suppress(TimeoutError):
        await asyncio.wait_for(ready.wait(), _SERVE_ANYWAY_SECONDS)
    if not server.should_exit:
        await server.serve([socket.socket(fileno=inherited)])


def server_config(application: Any) -> uvicorn.Config:
    """How an ASGI application is served."""
    return uvicorn.Config(
        application,
        http=EnvelopedHttp,
        ws="none",
        # Nobody is known or limited by address here, so there is nothing to read from X-Forwarded-For.
        proxy_headers=False,
        lifespan="off",
        access_log=False,
        server_header=False,
        log_config=None,
        backlog=BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )


def _connect(settings: Settings, loop: asyncio.AbstractEventLoop, stopping: threading.Event) -> _Kafka:
    admin = KafkaAdmin(settings)
    requests = settings.topic_prefix + REQUESTS.name
    replies = settings.topic_prefix + REPLIES.name
    patiently(stopping, lambda: admin.topic(requests))
    reply_partitions = patiently(stopping, lambda: admin.topic(replies)).partitions
    verdicts = Verdicts(loop, wait_ms=settings.reply_wait_ms)
    framing = patiently(stopping, lambda: connect(settings))
    reply_consumer = patiently(
        stopping,
        lambda: ReplyConsumer(
            settings,
            topic=replies,
            partitions=reply_partitions,
            loop=loop,
            receive=verdicts.receive,
            framing=framing,
        ),
    )
    producer = AsyncProducer(
        settings, loop, framing=framing, **{"delivery.timeout.ms": _DELIVERY_TIMEOUT_MS, "linger.ms": 1}
    )
    return _Kafka(admin, requests, verdicts, reply_consumer, producer)


def _application(settings: Settings, kafka: _Kafka, reads: Reads, watch: JobWatch, gate: Gate) -> Application:
    end_offsets = EndOffsetReader(lambda: kafka.admin.ends(kafka.requests))
    lookup = Lookup(reads, end_offsets)
    sender = Sender(kafka.producer, kafka.verdicts)
    streams = OpenStreams(most=settings.streams_per_key if settings.rate_limits else None)
    assets = None if settings.assets_folder is None else LocalFolder(settings.assets_folder)
    partition, prefix = kafka.replies.partition, settings.topic_prefix
    return Application(
        gate,
        CloneRoute(sender, reply_partition=partition, topic_prefix=prefix),
        CancelRoute(sender, lookup.container_of_job, reply_partition=partition, topic_prefix=prefix),
        [*ReadRoutes(reads, lookup, watch, streams).routes(gate), *AssetRoutes(reads, lookup, assets).routes(gate)],
        open_routes(_readiness(kafka.admin, reads, gate.keys)),
    )


async def _refresh_keys(reads: Reads, keys: KeyRing, loaded: asyncio.Event) -> None:
    while True:
        try:
            keys.replace(await reads.keys())
            loaded.set()
        except DatabaseUnavailable as error:
            # Known keys go on working: a Postgres outage must not stop ingestion.
            _log.warning("keys_stale", reason=str(error))
        await asyncio.sleep(_KEY_REFRESH_SECONDS)


def _readiness(admin: KafkaAdmin, reads: Reads, keys: KeyRing) -> Readiness:
    async def kafka() -> str | None:
        return None if await asyncio.to_thread(admin.answers) else "the broker does not answer"

    async def postgres() -> str | None:
        try:
            await reads.ping()
        except DatabaseUnavailable:
            return "Postgres does not answer: POST goes on, GET is 503"
        return None

    async def loaded() -> str | None:
        return None if keys.keys is not None else "API keys have not been loaded yet"

    return Readiness({"kafka": kafka, "postgres": postgres, "keys": loaded}, tolerated=frozenset({"postgres"}))
