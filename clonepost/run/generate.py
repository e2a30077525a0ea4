"""`clonepost run generate`: make variations."""

from clonepost.run.process import load_settings, patiently, require_database, role_process, stop_when
from consumers.generation.composed import ComposedGenerator
from consumers.generation.fanout import STAGE, FanOutHandler
from consumers.generation.generators import Generator
from consumers.generation.instant import InstantGenerator
from consumers.generation.pool import Pool
from consumers.generation.realise import EmbeddedRealiser
from consumers.generation.scripted import ScriptedGenerator
from consumers.generation.sweeper import Sweeper
from runtime.batch_loop import BatchLoop
from runtime.kafka_admin import KafkaAdmin
from runtime.publishing import Publisher
from runtime.settings import GeneratorName, Settings
from schemas.topics import ADMISSIONS
from storage.connection import Database


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings = load_settings()
    with role_process("generate", settings) as stopping:
        topic = settings.topic_prefix + ADMISSIONS.name
        admin = KafkaAdmin(settings)
        patiently(stopping, lambda: admin.topic(topic))
        url = require_database(settings)
        publisher = Publisher(settings)
        pool = Pool(
            new_generator(settings.generator),
            lambda: Database(url, application_name="clonepost-generate"),
            publisher,
            concurrency=settings.generate_concurrency,
            lease_seconds=settings.lease_seconds,
            topic_prefix=settings.topic_prefix,
        )
        sweeper = new_sweeper(settings, url, publisher, pool)
        handler = FanOutHandler(
            Database(url, application_name="clonepost-fanout"),
            publisher,
            pool,
            topic_prefix=settings.topic_prefix,
        )
        loop = BatchLoop(settings, handler, stage=STAGE, topics=[topic])
        pool.start()
        sweeper.start()
        stop_when(stopping, loop.stop)
        loop.run()
        sweeper.stop()
        pool.stop()


def new_generator(name: GeneratorName) -> Generator:
    """The generator of that name."""
    if name == "instant":
        return InstantGenerator()
    embedded = ComposedGenerator(EmbeddedRealiser(), waits=False, lease_ahead=64)
    return ScriptedGenerator(embedded) if name == "scripted" else embedded


def new_sweeper(settings: Settings, database_url: str, publisher: Publisher, pool: Pool) -> Sweeper:
    """The sweeper that serves a pool."""
    return Sweeper(
        Database(database_url, application_name="clonepost-sweeper"),
        publisher,
        sweep_seconds=settings.sweep_seconds,
        lease_seconds=settings.lease_seconds,
        topic_prefix=settings.topic_prefix,
        expect_pending=pool.expect_pending,
    )
