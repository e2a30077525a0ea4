"""The projector on a real database: jobs whose variations end as a test says, wake-ups, and what they lead to."""

import uuid
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, Final

from consumers.projector.consumer import STAGE, ProjectHandler
from runtime.dead_letters import DeadLetters
from runtime.publishing import Outgoing, Publishing
from runtime.record import Batch
from runtime.settings import Settings
from schemas import codec
from schemas.topics import DEAD_LETTERS, JOB_EVENTS, VARIATION_RESULTS
from storage.connection import Database
from storage.wallets import Reservation, lock_wallets, reserve
from tests.dedup.records import Read
from tests.dedup.stage import Recorder
from tests.dedup.world import VIDEO_PRICE
from tests.generation.world import Job, Jobs

CREATIVE: Final = '{"hook": "Why not?"}'
PROVENANCE: Final = '{"generator": "steered/1"}'


class Accepted(Jobs):
    """Writes what dedup and generate write before the projector is woken, and reads what it made of it."""

    def reserved(self, database: Database, *, variations: int, **claim: Any) -> Job:
        """An accepted job, its credits reserved."""
        job = self.accept(variations=variations, **claim)
        with database.transaction() as connection:
            lock_wallets(connection, [job.org_id])
            reserve(connection, [Reservation(job.org_id, job.job_id, variations * VIDEO_PRICE, 1_790_000_000_000)])
        return job

    def stands(
        self, job: Job, index: int, state: str, *, step: str | None = None, error: tuple[str, str] | None = None
    ) -> None:
        """Bring a variation into a state, as generate does."""
        code, message = error or (("PROVIDER_ERROR", "The provider failed.") if state == "failed" else (None, None))
        made = state == "succeeded"
        self.execute(
            """INSERT INTO variations (job_id, variation_index, org_id, state, attempt, lease_until, deadline_at, step,
                 finished_at, hook_shape, visual_format, duration_ms, creative, provenance, error_code, error_message)
               VALUES (%(job)s, %(index)s, %(org)s, %(state)s, 1,
                 CASE WHEN %(state)s = 'leased' THEN clock_timestamp() END, 'infinity', %(step)s,
                 CASE WHEN %(ended)s THEN clock_timestamp() END, %(shape)s, %(format)s, %(duration)s, %(creative)s,
                 %(provenance)s, %(code)s, %(message)s)
               ON CONFLICT (job_id, variation_index) DO UPDATE SET state = EXCLUDED.state, step = EXCLUDED.step,
                 lease_until = EXCLUDED.lease_until, finished_at = EXCLUDED.finished_at,
                 hook_shape = EXCLUDED.hook_shape, visual_format = EXCLUDED.visual_format,
                 duration_ms = EXCLUDED.duration_ms, creative = EXCLUDED.creative, provenance = EXCLUDED.provenance,
                 error_code = EXCLUDED.error_code, error_message = EXCLUDED.error_message""",
            {
                "job": job.job_id,
                "index": index,
                "org": job.org_id,
                "state": state,
                "step": step,
                "ended": state in ("succeeded", "failed", "canceled"),
                "shape": "question" if made else None,
                "format": "demo" if made else None,
                "duration": 9_000 if made else None,
                "creative": CREATIVE if made else None,
                "provenance": PROVENANCE if made else None,
                "code": code,
                "message": message,
            },
        )

    def all_end(self, job: Job, *states: str) -> None:
        """End every variation, in these states by index."""
        for index, state in enumerate(states):
            self.stands(job, index, state)

    def execute(self, statement: str, *values: Any) -> None:
        # Named values come as one mapping.
        self._connection.execute(statement, values[0] if values and isinstance(values[0], dict) else values)

    def job(self, job: Job) -> dict[str, Any]:
        (row,) = self.rows("SELECT * FROM jobs WHERE job_id = %s", job.job_id)
        return row

    def outbox(self, job: Job) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM outbox WHERE job_id = %s", job.job_id)

    def settlements(self, job: Job) -> list[tuple[int, int]]:
        """(available, reserved) deltas of the job's settlement."""
        rows = self.rows("SELECT * FROM credit_ledger WHERE job_id = %s AND kind = 'settle'", job.job_id)
        return [(row["available_delta"], row["reserved_delta"]) for row in rows]


def wake_up(job: Job, *indexes: int) -> Read:
    """The record by which generate says that variations of the job have ended."""
    value = codec.encode("VariationsFinished", {"jobId": str(job.job_id), "indexes": list(indexes)})
    return Read(str(job.container_id).encode(), value, of_topic=VARIATION_RESULTS.name)


def unknown() -> Read:
    """A wake-up for a job that nobody has accepted."""
    return wake_up(Job(uuid.uuid4(), uuid.uuid4(), uuid.uuid4(), 1), 0)


def projector(database: Database, publisher: Publishing, **settings: Any) -> ProjectHandler:
    """A projector as a process that has just started has it."""
    letters = DeadLetters(Settings(kafka={}, **settings), stage=STAGE)
    return ProjectHandler(database, publisher, letters, completion_partitions=3, topic_prefix="")


@dataclass(slots=True)
class Stage:
    """Feeds wake-ups to projectors. Each gets the next offset of one partition unless it has a place."""

    database: Database
    recorder: Recorder = field(default_factory=Recorder)
    next_offset: int = 0

    def place(self, *records: Read) -> list[Read]:
        first = self.next_offset
        self.next_offset += len(records)
        return [record.at(0, first + number) for number, record in enumerate(records)]

    def feed(self, *records: Read) -> "Published":
        """Handle these as one batch at the next offsets, in a process that has just started."""
        return self.redeliver(*self.place(*records))

    def redeliver(self, *records: Read) -> "Published":
        """Handle records where they stand."""
        before = len(self.recorder.records)
        projector(self.database, self.recorder).handle(Batch(list(records), {}))
        return Published(self.recorder.records[before:])


@dataclass(frozen=True, slots=True)
class Published:
    """What was published, decoded by topic."""

    records: list[Outgoing]

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        return [(one.name, one.record) for one in (codec.decode(r.value, JOB_EVENTS.records) for r in self.of_jobs())]

    def names(self) -> list[str]:
        return [name for name, _ in self.events()]

    def of_jobs(self) -> list[Outgoing]:
        return [record for record in self.records if record.topic == JOB_EVENTS.name]

    def dead_letters(self) -> list[Outgoing]:
        return [record for record in self.records if record.topic == DEAD_LETTERS.name]

    def versions(self) -> dict[str, Counter[tuple[Any, ...]]]:
        """Of each job: the different records that were published as its end, with how often."""
        found: dict[str, Counter[tuple[Any, ...]]] = defaultdict(Counter)
        for record, (_, event) in zip(self.of_jobs(), self.events(), strict=True):
            found[event["jobId"]][record.key, record.value, tuple(record.headers)] += 1
        return found
