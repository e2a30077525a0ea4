"""`clonepost run dedup`: judge clone.requests."""

from clonepost.run.process import load_settings, patiently, require_database, role_process, stop_when, tell_ready
from consumers.dedup.consumer import STAGE, DedupHandler
from consumers.dedup.replying import ReplyPartitions
from runtime.batch_loop import BatchLoop
from runtime.dead_letters import DeadLetters
from runtime.kafka_admin import KafkaAdmin
from runtime.publishing import Publisher
from runtime.schema_registry import connect
from schemas.topics import REPLIES, REQUESTS
from storage.connection import Database


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings = load_settings()
    with role_process("dedup", settings) as stopping:
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
