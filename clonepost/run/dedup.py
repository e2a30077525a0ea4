"""`clonepost run dedup`: judge clone.requests."""

import threading

from clonepost.run.process import patiently, require_database, run_role, stop_when, tell_ready
from consumers.dedup.consumer import STAGE, DedupHandler
from consumers.dedup.replying import ReplyPartitions
from runtime.batch_loop import BatchLoop
from runtime.dead_letters import DeadLetters
from runtime.kafka_admin import KafkaAdmin
from runtime.publishing import Publisher
from runtime.schema_registry import connect
from runtime.settings import Settings
from schemas.topics import REPLIES, REQUESTS
from storage.connection import Database


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    run_role("dedup", run)


def run(settings: Settings, stopping: threading.Event) -> None:
    """Judge until `stopping` is set."""
    database = Database(require_database(settings), application_name="clonepost-dedup")
    topic = settings.topic_prefix + REQUESTS.name
    admin = KafkaAdmin(settings)
    topic_id = patiently(stopping, lambda: admin.topic(topic)).topic_id
    dead_letters = DeadLetters(settings, stage=STAGE)
    prefix = settings.topic_prefix
    framing = patiently(stopping, lambda: connect(settings))
    publisher = Publisher(settings, framing=framing)
    replies = prefix + REPLIES.name
    reply_partitions = patiently(stopping, lambda: ReplyPartitions(lambda: admin.topic(replies).partitions))
    handler = DedupHandler(
        database,
        publisher,
        dead_letters,
        topic_id=topic_id,
        topic_prefix=prefix,
        reply_partitions=reply_partitions,
    )
    loop = BatchLoop(settings, handler, stage=STAGE, topics=[topic], framing=framing)
    stop_when(stopping, loop.stop)
    tell_ready(settings)
    loop.run()
