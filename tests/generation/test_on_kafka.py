"""The whole role on a real broker and a real database."""

import threading
import uuid
from collections.abc import Callable, Iterator

import pytest

from clonepost.run.generate import generate
from runtime.publishing import Outgoing, Publisher
from runtime.settings import GeneratorName, Settings
from runtime.tailing import tail
from schemas import codec
from schemas.headers import DEAD_LETTER_REASON, TRACEPARENT
from schemas.topics import ADMISSIONS, DEAD_LETTERS, VARIATION_RESULTS, Topic
from storage.connection import Database
from tests.awaiting import eventually
from tests.dedup.records import Read
from tests.generation.records import accepted, canceled, refused
from tests.generation.test_transitions import fan_out
from tests.generation.world import TRACE, Job, Jobs

StartRole = Callable[..., threading.Event]


class Topics:
    """Writes admissions and reads what the role wrote."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.publisher = Publisher(settings)

    def admit(self, *records: Read) -> None:
        topic = self.settings.topic_prefix + ADMISSIONS.name
        headers = [(TRACEPARENT, TRACE.encode())]
        self.publisher.publish([Outgoing(topic, record.key_bytes, record.value_bytes, headers) for record in records])

    def read(self, topic: Topic) -> list[tuple[bytes | str | None, bytes, dict[str, bytes | str | None]]]:
        name = self.settings.topic_prefix + topic.name
        records = tail(self.settings, name, partitions=topic.partitions, from_beginning=True, until_end=True)
        return [(r.key(), bytes(r.value() or b""), dict(r.headers() or [])) for r in records]  # type: ignore[arg-type]  # bytes on the wire

    def announced(self, job: Job) -> list[int]:
        """Every index announced for the job, in no order, as often as it was."""
        found = []
        for key, value, headers in self.read(VARIATION_RESULTS):
            record = codec.decode(value, VARIATION_RESULTS.records).record
            if record["jobId"] == str(job.job_id):
                assert key == str(job.container_id).encode()
                assert headers[TRACEPARENT] == TRACE.encode()
                found += record["indexes"]
        return found


@pytest.fixture
def topics(settings: Settings) -> Iterator[Topics]:
    topics = Topics(settings)
    yield topics
    topics.publisher.close()


@pytest.fixture
def start(settings: Settings, deaths: list[str]) -> Iterator[StartRole]:
    """Starts the role with a generator, and stops it."""
    running: list[tuple[threading.Event, threading.Thread]] = []

    def start_role(generator: GeneratorName, **changes: object) -> threading.Event:
        stopping = threading.Event()
        changed = settings.model_copy(update={"generator": generator, "sweep_seconds": 0.5, **changes})
        thread = threading.Thread(target=generate, args=(changed, stopping, deaths.append))
        thread.start()
        running.append((stopping, thread))
        return stopping

    yield start_role
    for stopping, _ in running:
        stopping.set()
    for _, thread in running:
        thread.join(60)
        assert not thread.is_alive()
    assert not deaths


def all_succeeded(jobs: Jobs, job: Job) -> bool:
    return jobs.states(job) == ["succeeded"] * job.variations


def test_an_accepted_job_is_made_and_announced_once(jobs: Jobs, topics: Topics, start: StartRole) -> None:
    job = jobs.accept(variations=3)
    start("instant")
    topics.admit(accepted(job), refused("CloneRejected"), accepted(job))
    eventually(lambda: all_succeeded(jobs, job), what="three variations succeeded")
    eventually(lambda: len(topics.announced(job)) >= 3, what="they were announced")
    topics.admit(accepted(job))
    after = jobs.accept(variations=1)
    topics.admit(accepted(after))
    eventually(lambda: all_succeeded(jobs, after), what="a later job succeeded")
    eventually(lambda: topics.announced(after), what="it was announced")
    assert sorted(topics.announced(job)) == [0, 1, 2]
    assert {row["attempt"] for row in jobs.variations(job)} == {1}


def test_poison_becomes_one_dead_letter_among_jobs_that_go_on(jobs: Jobs, topics: Topics, start: StartRole) -> None:
    first, second = jobs.accept(variations=1), jobs.accept(variations=1)
    key = str(first.container_id).encode()
    start("instant")
    topics.admit(accepted(first), Read(key, b"\xc3\x01poison"), Read(key, b""), accepted(second))
    eventually(lambda: all_succeeded(jobs, first) and all_succeeded(jobs, second), what="both jobs were made")
    letters = eventually(
        lambda: found if len(found := topics.read(DEAD_LETTERS)) >= 2 else None, what="two dead letters"
    )
    assert sorted(value for _, value, _ in letters) == [b"", b"\xc3\x01poison"]
    assert all(headers[DEAD_LETTER_REASON] for _, _, headers in letters)


def test_a_cancel_ends_slow_work(jobs: Jobs, topics: Topics, start: StartRole) -> None:
    job = jobs.accept(variations=2, overrides={"caption": "@@generator delay=3s"})
    start("scripted")
    topics.admit(accepted(job))
    eventually(lambda: jobs.states(job) == ["leased"] * 2, what="both are being made")
    jobs.cancel(job)
    topics.admit(canceled(job))
    eventually(lambda: jobs.states(job) == ["canceled"] * 2, what="both are canceled")


def test_two_processes_share_the_work_and_double_none(
    database: Database, jobs: Jobs, topics: Topics, start: StartRole
) -> None:
    made = [jobs.accept(variations=10) for _ in range(20)]
    for job in made[:10]:
        fan_out(database, job, uuid.uuid4(), room=0)
    start("embedded")
    start("embedded")
    topics.admit(*(accepted(job) for job in made))
    eventually(lambda: all(all_succeeded(jobs, job) for job in made), what="200 variations succeeded")
    assert {row["attempt"] for job in made for row in jobs.variations(job)} == {1}


def test_every_admission_lost_and_every_job_is_made(jobs: Jobs, topics: Topics, start: StartRole) -> None:
    job, ended = jobs.accept(variations=2, seconds_ago=60), jobs.accept(variations=1, seconds_ago=60)
    jobs.cancel(ended, seconds_ago=60)
    start("instant")
    eventually(lambda: all_succeeded(jobs, job), what="the sweeper added the rows and they were made")
    eventually(lambda: jobs.states(ended) == ["canceled"], what="the lost cancel took effect")


def test_a_restart_goes_on_behind_what_is_done(jobs: Jobs, topics: Topics, start: StartRole) -> None:
    first, second = jobs.accept(variations=1), jobs.accept(variations=1)
    stopping = start("instant")
    topics.admit(accepted(first))
    eventually(lambda: all_succeeded(jobs, first), what="the first job was made")
    stopping.set()
    topics.admit(accepted(second))
    start("instant")
    eventually(lambda: all_succeeded(jobs, second), what="the second job was made")
    assert jobs.variations(first)[0]["attempt"] == 1
