"""`clonepost run api`: HTTP for partners."""

import asyncio
import gc
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import structlog
import uvicorn

from clonepost.run.process import load_settings, patiently, require_database, role_process, stop_when
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
from producer.read.watch import JobWatch
from producer.routing import Gate
from producer.starting import Starting
from producer.wire import EnvelopedHttp
from runtime.async_producer import AsyncProducer
from runtime.errors import DatabaseUnavailable, Fatal
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
# A POST ends within the delivery timeout and the wait for its verdict; then 10 s are left for everything else.
_DELIVERY_TIMEOUT_MS: Final = 5_000
_DRAIN_SECONDS: Final = 7
_BACKLOG: Final = 2_048
# More than the requests that one process can have in hand are made of.
_NEW_OBJECTS_A_COLLECTION: Final = 100_000


@dataclass(frozen=True, slots=True)
class _Kafka:
    """What the process holds of Kafka."""

    admin: KafkaAdmin
    requests: str
    topic_id: UUID
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
    """Run until SIGTERM or SIGINT; requests in hand get up to 7 s to finish."""
    settings = load_settings()
    with role_process("api", settings) as stopping, asyncio.Runner(loop_factory=new_loop) as runner:
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
    server = _Server(server_config(starting))

    def drain() -> None:
        watch.stop()
        server.should_exit = True

    def stop() -> None:
        loop.call_soon_threadsafe(drain)

    stop_when(stopping, stop)
    # Bound before anything is waited for: liveness answers, and readiness says what is missing.
    serving = asyncio.create_task(server.serve([_listen(settings)]))
    kafka: _Kafka | None = None
    limits = LeasedLimits(buckets)
    tending: list[asyncio.Task[None]] = []
    try:
        await reads.open()
        await buckets.open()
        keys = KeyRing()
        for loop_of_its_own in (_refresh_keys(reads, keys), limits.run()):
            tending.append(asyncio.create_task(loop_of_its_own))
            # It only ends by a defect; a process that went on without it would let revoked keys in, or nobody.
            tending[-1].add_done_callback(lambda _: stopping.set())
        kafka = await asyncio.to_thread(_connect, settings, loop, stopping)
        gate = Gate(keys, limits if settings.rate_limits else CountedOnly())
        starting.application = _application(settings, kafka, reads, watch, gate)
        _spare_the_collector()
        await serving
    finally:
        server.should_exit = True
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


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.http_host else socket.AF_INET
    try:
        return socket.create_server((settings.http_host, settings.http_port), family=family, backlog=_BACKLOG)
    except OSError as error:
        place = f"{settings.http_host}:{settings.http_port}"
        raise Fatal(f"cannot listen on {place} ({error.strerror}): set CLONEPOST_HTTP_PORT to a free port") from error


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
        backlog=_BACKLOG,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )


def _connect(settings: Settings, loop: asyncio.AbstractEventLoop, stopping: threading.Event) -> _Kafka:
    admin = KafkaAdmin(settings)
    requests = settings.topic_prefix + REQUESTS.name
    replies = settings.topic_prefix + REPLIES.name
    topic = patiently(stopping, lambda: admin.topic(requests))
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
    return _Kafka(admin, requests, topic.topic_id, verdicts, reply_consumer, producer)


def _application(settings: Settings, kafka: _Kafka, reads: Reads, watch: JobWatch, gate: Gate) -> Application:
    end_offsets = EndOffsetReader(lambda: kafka.admin.end_offsets(kafka.requests))
    lookup = Lookup(reads, end_offsets, kafka.topic_id)
    sender = Sender(kafka.producer, kafka.verdicts)
    assets = None if settings.assets_folder is None else LocalFolder(settings.assets_folder)
    partition, prefix = kafka.replies.partition, settings.topic_prefix
    return Application(
        gate,
        CloneRoute(sender, reply_partition=partition, topic_prefix=prefix),
        CancelRoute(sender, lookup.container_of_job, reply_partition=partition, topic_prefix=prefix),
        [*ReadRoutes(reads, lookup, watch).routes(gate), *AssetRoutes(reads, lookup, assets).routes(gate)],
        open_routes(_readiness(kafka.admin, reads, gate.keys)),
    )


async def _refresh_keys(reads: Reads, keys: KeyRing) -> None:
    while True:
        try:
            keys.replace(await reads.keys())
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
