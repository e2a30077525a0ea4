"""`clonepost run api`: HTTP for partners."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog
import uvicorn

from clonepost.run.process import EXIT_FATAL, load_settings, patiently, require_database, role_process
from producer.app import Application
from producer.auth import KeyRing
from producer.ingest.cancel import CancelRoute
from producer.ingest.clone import CloneRoute
from producer.ingest.sender import Sender
from producer.ingest.verdicts import Verdicts
from producer.pages import Readiness, open_routes
from producer.ratelimit import RateLimiter
from producer.read.lookup import EndOffsetReader, Lookup
from producer.read.routes import ReadRoutes
from producer.read.watch import JobWatch
from producer.routing import Gate
from runtime.async_producer import AsyncProducer
from runtime.errors import DatabaseUnavailable
from runtime.kafka_admin import KafkaAdmin
from runtime.reply_consumer import ReplyConsumer
from runtime.settings import Settings
from schemas.topics import REPLIES, REQUESTS
from storage.reads import Reads

_log = structlog.get_logger(__name__)

_KEY_REFRESH_SECONDS: Final = 2.0
_DRAIN_SECONDS: Final = 8


def main() -> None:
    """Run until SIGTERM or SIGINT; requests in hand get up to 8 s to finish."""
    settings = load_settings()
    with role_process("api", settings) as stopping, asyncio.Runner(loop_factory=_new_loop) as runner:
        runner.run(_serve(settings, stopping))


def _new_loop() -> asyncio.AbstractEventLoop:
    import uvloop

    return uvloop.new_event_loop()


async def _serve(settings: Settings, stopping: threading.Event) -> None:
    loop = asyncio.get_running_loop()
    admin = KafkaAdmin(settings)
    requests = settings.topic_prefix + REQUESTS.name
    replies = settings.topic_prefix + REPLIES.name
    topic = await asyncio.to_thread(patiently, stopping, lambda: admin.topic(requests))
    reply_partitions = (await asyncio.to_thread(patiently, stopping, lambda: admin.topic(replies))).partitions
    verdicts = Verdicts(loop, wait_ms=settings.reply_wait_ms)
    reply_consumer = await asyncio.to_thread(
        patiently,
        stopping,
        lambda: ReplyConsumer(
            settings, topic=replies, partitions=reply_partitions, loop=loop, receive=verdicts.receive
        ),
    )
    producer = AsyncProducer(settings, loop, **{"delivery.timeout.ms": 5_000, "linger.ms": 1})
    reads = Reads(require_database(settings))
    await reads.open()
    keys = KeyRing()
    lookup = Lookup(reads, EndOffsetReader(lambda: admin.end_offsets(requests, topic.partitions)), topic.topic_id)
    sender = Sender(producer, verdicts)
    gate = Gate(keys, RateLimiter(enforced=settings.rate_limits))
    application = Application(
        gate,
        CloneRoute(sender, reply_partition=reply_consumer.partition, topic_prefix=settings.topic_prefix),
        CancelRoute(
            sender,
            lookup.container_of_job,
            reply_partition=reply_consumer.partition,
            topic_prefix=settings.topic_prefix,
        ),
        ReadRoutes(reads, lookup, JobWatch(reads)).routes(gate),
        open_routes(_readiness(admin, reads, keys)),
    )
    server = uvicorn.Server(
        uvicorn.Config(
            application,
            host=settings.http_host,
            port=settings.http_port,
            http="httptools",
            lifespan="off",
            access_log=False,
            server_header=False,
            log_config=None,
            timeout_graceful_shutdown=_DRAIN_SECONDS,
        )
    )
    # Signals are ours: `stopping` is set by them, and the server drains when it is.
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    tasks = [
        asyncio.create_task(_refresh_keys(reads, keys)),
        asyncio.create_task(_exit_on(stopping, server)),
    ]
    await _quietly(server.serve)
    for task in tasks:
        task.cancel()
    await asyncio.to_thread(producer.close)
    await asyncio.to_thread(reply_consumer.close)
    await reads.close()


async def _quietly(serve: Callable[[], Coroutine[Any, Any, None]]) -> None:
    try:
        await serve()
    except SystemExit as error:
        # uvicorn exits like this when it cannot bind.
        _log.error("http_not_bound")
        raise SystemExit(EXIT_FATAL) from error


async def _exit_on(stopping: threading.Event, server: uvicorn.Server) -> None:
    await asyncio.to_thread(stopping.wait)
    server.should_exit = True


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
            return "Postgres does not answer; POST goes on, GET is 503"
        return None

    async def loaded() -> str | None:
        return None if keys.keys is not None else "API keys have not been loaded yet"

    return Readiness({"kafka": kafka, "postgres": postgres, "keys": loaded})
