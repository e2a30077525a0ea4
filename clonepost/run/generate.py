"""`clonepost run generate`: make variations."""

import sys
import threading
from typing import Final

from clonepost.run.process import patiently, require_database, run_role, stop_when, tell_ready
from consumers.generation.composed import ComposedGenerator
from consumers.generation.fallback import FallbackGenerator
from consumers.generation.fanout import STAGE, FanOutHandler
from consumers.generation.generators import Generator
from consumers.generation.instant import InstantGenerator
from consumers.generation.pool import Pool
from consumers.generation.scripted import ScriptedGenerator
from consumers.generation.sweeper import Sweeper
from consumers.generation.threads import OnDeath
from consumers.generation.writing.embedded import EmbeddedRealiser
from runtime.batch_loop import BatchLoop
from runtime.dead_letters import DeadLetters
from runtime.errors import Fatal
from runtime.kafka_admin import KafkaAdmin
from runtime.publishing import Publisher
from runtime.schema_registry import connect
from runtime.settings import Settings
from schemas.topics import ADMISSIONS
from storage.connection import Database

_SWEEP_END_SECONDS: Final = 2.0
# The thread that writes texts never waits, so another one that has a server's answer waits for the interpreter: 5 ms by
# default, each time, and many times from an admission to its results.
_SWITCH_SECONDS: Final = 0.0001


def main() -> None:
    """Run until SIGTERM or SIGINT. Raises Fatal when one of its threads dies."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    run_role("generate", run)


def run(settings: Settings, stopping: threading.Event) -> None:
    """Generate until `stopping` is set, or one of its threads dies."""
    topic = settings.topic_prefix + ADMISSIONS.name
    admin = KafkaAdmin(settings)
    patiently(stopping, lambda: admin.topic(topic))
    dead: list[str] = []

    def on_death(thread: str) -> None:
        dead.append(thread)
        stopping.set()

    generate(settings, stopping, on_death)
    if dead:
        raise Fatal(f"the thread {dead[0]} died; its error is above, and a new process takes over")


def generate(settings: Settings, stopping: threading.Event, on_death: OnDeath) -> None:
    """Fan out, generate and sweep until `stopping` is set; then give back what has not begun and finish the rest."""
    url = require_database(settings)
    framing = patiently(stopping, lambda: connect(settings))
    # Two publishers: while the broker does not answer, the poll loop must not queue behind the pool's retries.
    publisher, fan_out_publisher = Publisher(settings, framing=framing), Publisher(settings, framing=framing)
    pool = Pool(
        new_generator(settings),
        lambda: Database(url, application_name="clonepost-generate"),
        publisher,
        concurrency=settings.generate_concurrency,
        lease_seconds=settings.lease_seconds,
        topic_prefix=settings.topic_prefix,
        on_death=on_death,
        renders=settings.renders and settings.generator != "instant",
    )
    sweeper = Sweeper(
        Database(url, application_name="clonepost-sweeper"),
        publisher,
        sweep_seconds=settings.sweep_seconds,
        lease_seconds=settings.lease_seconds,
        topic_prefix=settings.topic_prefix,
        expect_pending=pool.expect_pending,
        on_death=on_death,
    )
    database = Database(url, application_name="clonepost-fanout")
    dead_letters = DeadLetters(settings, stage=STAGE)
    prefix = settings.topic_prefix
    handler = FanOutHandler(database, fan_out_publisher, dead_letters, pool, topic_prefix=prefix)
    topics = [prefix + ADMISSIONS.name]
    loop = BatchLoop(settings, handler, stage=STAGE, topics=topics, framing=framing, losable=True)
    pool.start()
    sweeper.start()
    # Beside the loop, whose batch may wait for the broker longer than leases should wait to be given back.
    ending = stop_when(stopping, loop.stop, sweeper.request_stop, pool.stop)
    tell_ready(settings)
    try:
        loop.run()
    finally:
        stopping.set()
        ending.join()
        sweeper.join(_SWEEP_END_SECONDS)
        database.close()
        publisher.close()
        fan_out_publisher.close()


def new_generator(settings: Settings) -> Generator:
    """The generator that the settings name. Raises Fatal with the fix where they lack what it needs."""
    if settings.generator == "instant":
        return InstantGenerator()
    embedded = ComposedGenerator(EmbeddedRealiser(), waits=False, lease_ahead=64)
    if settings.generator == "scripted":
        return ScriptedGenerator(embedded)
    if settings.generator == "openai":
        written = _openai(settings)
        return FallbackGenerator(written, embedded) if settings.openai_fallback == "embedded" else written
    return embedded


def _openai(settings: Settings) -> Generator:
    if not settings.openai_model:
        raise Fatal("CLONEPOST_OPENAI_MODEL is not set: name the model, as CLONEPOST_OPENAI_BASE_URL's provider does")
    try:
        # Half a second to import, so only where it is asked for.
        from consumers.generation.openai_writer.composing import openai_generator
    except ModuleNotFoundError as error:
        raise Fatal(f"{error.name} is not installed: pip install 'clonepost[openai]'") from error
    return openai_generator(settings)
