"""`clonepost run project`: keep the read table, settle credits, publish how jobs end."""

import threading

from clonepost.run.process import patiently, require_database, run_role, stop_when, tell_ready
from consumers.projector.consumer import STAGE, ProjectHandler
from runtime.batch_loop import BatchLoop
from runtime.dead_letters import DeadLetters
from runtime.kafka_admin import KafkaAdmin
from runtime.publishing import Publisher
from runtime.schema_registry import connect
from runtime.settings import Settings
from schemas.topics import JOBS_COMPLETED, VARIATION_RESULTS
from storage.connection import Database


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    run_role("project", run)


def run(settings: Settings, stopping: threading.Event) -> None:
    """Project until `stopping` is set."""
    database = Database(require_database(settings), application_name="clonepost-project")
    admin = KafkaAdmin(settings)
    completions = patiently(stopping, lambda: admin.topic(settings.topic_prefix + JOBS_COMPLETED.name))
    framing = patiently(stopping, lambda: connect(settings))
    handler = ProjectHandler(
        database,
        Publisher(settings, framing=framing),
        DeadLetters(settings, stage=STAGE),
        completion_partitions=completions.partitions,
        topic_prefix=settings.topic_prefix,
    )
    topics = [settings.topic_prefix + VARIATION_RESULTS.name]
    loop = BatchLoop(settings, handler, stage=STAGE, topics=topics, framing=framing, losable=True)
    stop_when(stopping, loop.stop)
    tell_ready(settings)
    loop.run()
