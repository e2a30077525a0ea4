"""Every event is in the log once, for a read_committed reader, after a crash at any step."""

import uuid
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from consumers.relay.protocol import Trust, steps
from consumers.relay.relay import TRANSACTIONAL_ID, Relay, completion_topic
from runtime import failpoint
from runtime.errors import BrokerUnavailable, DatabaseUnavailable, Fatal
from runtime.kafka_admin import KafkaAdmin
from runtime.publishing import Outgoing, Publisher
from runtime.record import header
from runtime.settings import Settings
from runtime.tailing import tail
from runtime.transactions import LogReader, TransactionalPublisher
from schemas.headers import CE_ID
from storage import outbox
from storage.connection import Database
from tests.growth import grow

STEPS = [name for name in failpoint.NAMES if name.startswith("relay.")]


class Crash(Exception):
    """The process died here."""


class Timed(TransactionalPublisher):
    """What is told of a commit's time is its world's: on a busy machine any may be slow, and the relay start anew."""

    def __init__(self, world: "World") -> None:
        super().__init__(world.settings, world.settings.topic_prefix + TRANSACTIONAL_ID)
        self._world = world

    def publish(self, records: Sequence[Outgoing]) -> float:
        super().publish(records)
        return self._world.commit_seconds


class World:
    """One completion topic and one outbox."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.commit_seconds = 0.0
        self._connections: list[Database] = []
        self.admin = KafkaAdmin(settings)
        self.topic = completion_topic(settings.topic_prefix)
        self.state = self.admin.topic(self.topic)
        self.database = self.connect()
        with self.database.transaction() as connection:
            outbox.add_checkpoints(connection, self.state.topic_id, self.state.partitions)

    def connect(self) -> Database:
        """A connection of a process of its own."""
        database = Database(self.settings.database_url.get_secret_value(), application_name="test-relay")
        self._connections.append(database)
        return database

    def close(self) -> None:
        """Close every connection."""
        for database in self._connections:
            database.close()

    def relay(self) -> Relay:
        """A relay as a process would build it; it is told of no other."""
        return Relay(
            self.connect(),
            lambda: Timed(self),
            LogReader(self.settings, self.topic),
            lambda: self.admin.end_offsets(self.topic),
            topic=self.topic,
            topic_id=self.state.topic_id,
        )

    def complete(self, number: int) -> set[str]:
        """So many completion events in the outbox; returns their ids."""
        ids = [uuid.uuid4() for _ in range(number)]
        with self.database.transaction() as connection:
            for position, event_id in enumerate(ids):
                connection.execute(
                    """INSERT INTO outbox (event_id, job_id, record_key, record_value, output_partition, created_at)
                       VALUES (%s, %s, %s, 'value', %s, clock_timestamp())""",
                    (event_id, uuid.uuid4(), str(event_id), position % self.state.partitions),
                )
        return {str(event_id) for event_id in ids}

    def forget_leader(self) -> None:
        """Let the next relay lead at once: the heartbeat only keeps a healthy leader undisturbed."""
        with self.database.transaction() as connection:
            connection.execute("UPDATE relay_checkpoints SET leader_seen_at = NULL")

    def log(self) -> Counter[str | None]:
        """The event ids that a read_committed reader sees, with their counts."""
        records = tail(self.settings, self.topic, partitions=self.state.partitions, from_beginning=True, until_end=True)
        return Counter(header(record, CE_ID) for record in records)

    def unpublished(self) -> int:
        """Rows that are not marked."""
        with self.database.transaction() as connection:
            row = connection.execute("SELECT count(*) FROM outbox WHERE published_at IS NULL").fetchone()
            return int(row[0]) if row else 0


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    """A world of the test's own."""
    world = World(settings)
    yield world
    world.close()


def crash() -> None:
    """What is armed at the step that is to be the last."""
    raise Crash


def cut_off_relays(world: World) -> None:
    """End the relays' database sessions, and with them their transactions and locks."""
    with world.database.transaction() as connection:
        connection.execute(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND application_name = 'test-relay' AND pid <> pg_backend_pid()"""
        )


def drain(relay: Relay) -> None:
    """Rounds until nothing is left to do; a relay fences and scans in its first."""
    relay.round()
    while relay.round():
        pass


def test_a_topic_that_grows_under_the_relay_has_each_event_once(world: World) -> None:
    relay, before = world.relay(), world.complete(9)
    drain(relay)
    grow(world.settings, world.topic, world.state.partitions + 2)
    world.state = world.admin.topic(world.topic)
    after = world.complete(10)
    # Nothing may be published where it could not be read back: the new partitions get their checkpoints first.
    with pytest.raises(BrokerUnavailable, match="has grown"):
        relay.round()
    drain(relay)
    assert world.log() == Counter(before | after)
    assert world.unpublished() == 0


def test_a_plain_run_publishes_each_event_once(world: World) -> None:
    expected = world.complete(50)
    relay = world.relay()
    drain(relay)
    assert world.log() == Counter(dict.fromkeys(expected, 1))
    assert world.unpublished() == 0
    more = world.complete(5)
    drain(relay)
    assert world.log() == Counter(dict.fromkeys(expected | more, 1))


def test_events_that_commit_out_of_order_are_all_published(world: World) -> None:
    relay = world.relay()
    late = uuid.uuid4()
    other = world.connect()
    with other.transaction() as connection:
        connection.execute(
            """INSERT INTO outbox (event_id, job_id, record_key, record_value, output_partition, created_at)
               VALUES (%s, %s, 'key', 'value', 0, clock_timestamp())""",
            (late, uuid.uuid4()),
        )
        expected = world.complete(3)
        drain(relay)
    drain(relay)
    assert world.log() == Counter(dict.fromkeys(expected | {str(late)}, 1))


def test_what_a_slow_commit_published_is_read_back_and_not_published_again(world: World) -> None:
    expected = world.complete(5)
    relay = world.relay()
    relay.round()
    world.commit_seconds = 2.0
    with pytest.raises(BrokerUnavailable, match="is not trusted"):
        relay.round()
    assert world.unpublished() == len(expected)
    world.commit_seconds = 0.0
    drain(relay)
    assert world.log() == Counter(expected)
    assert world.unpublished() == 0


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("at_pass", [1, 2, 3])
def test_a_crash_at_any_step_loses_and_doubles_nothing(world: World, step: str, at_pass: int) -> None:
    expected = world.complete(10)
    victim = world.relay()

    def live() -> None:
        for _ in range(4):
            victim.round()
            expected.update(world.complete(3))
        # What happens once a lifetime happens again when the relay has lost its lock.
        for _ in range(2):
            cut_off_relays(world)
            with pytest.raises(DatabaseUnavailable):
                victim.round()
            victim.round()

    with failpoint.armed(step, crash, at_pass=at_pass), pytest.raises(Crash):
        live()
    world.forget_leader()
    heir = world.relay()
    drain(heir)
    assert world.log() == Counter(dict.fromkeys(expected, 1))
    assert world.unpublished() == 0


def test_a_round_takes_the_steps_that_are_model_checked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    passed: list[str] = []
    monkeypatch.setattr("consumers.relay.relay.failpoint", passed.append)

    def protocol(trust: Trust) -> list[str]:
        return [f"relay.{step.value}" for step in steps(trust)]

    relay = world.relay()
    world.complete(3)
    relay.round()
    assert passed == protocol(Trust.UNFENCED)
    passed.clear()
    assert relay.round() == 3
    assert passed == protocol(Trust.FENCED)


def test_a_zombie_is_fenced_by_its_heir(world: World) -> None:
    expected = world.complete(5)
    heir = world.relay()

    def overtaken() -> None:
        # The zombie has read its rows and is about to publish when its lock is gone and another leads.
        cut_off_relays(world)
        world.forget_leader()
        drain(heir)

    zombie = world.relay()
    zombie.round()
    with failpoint.armed("relay.publish", overtaken), pytest.raises(BrokerUnavailable):
        zombie.round()
    assert world.log() == Counter(dict.fromkeys(expected, 1))


def test_a_standby_does_not_take_turns_with_a_healthy_leader(world: World) -> None:
    leader, standby = world.relay(), world.relay()
    leader.round()
    expected = world.complete(3)
    assert standby.round() == 0
    assert world.log() == Counter()
    assert leader.round() == len(expected)


def test_an_event_that_postgres_does_not_know_halts_the_relay(world: World) -> None:
    Publisher(world.settings).publish(
        [Outgoing(world.topic, b"key", b"value", [(CE_ID, str(uuid.uuid4()).encode())], partition=0)]
    )
    with pytest.raises(Fatal, match="does not know"):
        world.relay().round()


def test_a_checkpoint_that_is_behind_marks_and_publishes_nothing_again(world: World) -> None:
    expected = world.complete(3)
    drain(world.relay())
    with world.database.transaction() as connection:
        connection.execute("UPDATE relay_checkpoints SET next_offset = 0")
    world.forget_leader()
    drain(world.relay())
    assert world.log() == Counter(dict.fromkeys(expected, 1))
