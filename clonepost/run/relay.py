"""`clonepost run relay`: one record per completed job, for analysts."""

import threading
from typing import Final

import structlog

from clonepost.run.process import patiently, require_database, run_role, tell_ready
from consumers.relay.relay import TRANSACTIONAL_ID, Relay, completion_topic
from runtime.backoff import full_jitter
from runtime.errors import Retryable
from runtime.framing import Framing
from runtime.kafka_admin import KafkaAdmin
from runtime.schema_registry import connect
from runtime.settings import Settings
from runtime.transactions import LogReader, TransactionalPublisher
from runtime.wakeup import TopicWakeup
from schemas.topics import JOB_EVENTS
from storage import outbox
from storage.connection import Database

_log = structlog.get_logger(__name__)

_POLL_SECONDS: Final = 1.0


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    run_role("relay", run)


def run(settings: Settings, stopping: threading.Event) -> None:
    """Relay until `stopping` is set."""
    database = Database(require_database(settings), application_name="clonepost-relay")
    admin = KafkaAdmin(settings)
    events = settings.topic_prefix + JOB_EVENTS.name
    event_partitions = patiently(stopping, lambda: admin.topic(events)).partitions
    framing = patiently(stopping, lambda: connect(settings))
    relay = patiently(stopping, lambda: build(settings, database, admin, framing))
    wakeup = TopicWakeup(settings, events, partitions=event_partitions)
    tell_ready(settings)
    go_round(relay, wakeup, stopping)


def build(settings: Settings, database: Database, admin: KafkaAdmin, framing: Framing | None = None) -> Relay:
    """A relay on real clients. Raises Retryable while Kafka or Postgres is away."""
    topic = completion_topic(settings.topic_prefix)
    state = admin.topic(topic)
    with database.transaction() as connection:
        outbox.add_checkpoints(connection, state.topic_id, state.partitions)
    transactional_id = settings.topic_prefix + TRANSACTIONAL_ID
    return Relay(
        database,
        lambda: TransactionalPublisher(settings, transactional_id, framing),
        LogReader(settings, topic),
        lambda: admin.end_offsets(topic),
        topic=topic,
        topic_id=state.topic_id,
    )


def go_round(relay: Relay, wakeup: TopicWakeup, stopping: threading.Event) -> None:
    """Rounds until stopped: at once while there is work, else when job events come or a second has passed."""
    waits = full_jitter(first_seconds=0.1, cap_seconds=2.0)
    while not stopping.is_set():
        try:
            while relay.round() and not stopping.is_set():
                pass
            wakeup.wait(_POLL_SECONDS)
            waits = full_jitter(first_seconds=0.1, cap_seconds=2.0)
        except Retryable as error:
            _log.warning("relay_stalled", reason=str(error))
            stopping.wait(next(waits))
