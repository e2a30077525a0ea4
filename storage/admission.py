"""Everything the dedup consumer reads and writes, in one transaction a batch.

`read` first locks the wallets of the batch's organisations, in sorted order and in a statement of its own: under READ
COMMITTED the statements after it then see everything that the lock's last holder committed. So two dedup processes
never judge requests of one organisation at the same time, and the constraints only fire on a defect or a failover.
Times are Unix milliseconds of the database's clock. Arrays are sent in binary (`%b`): as text, each element would be
searched for what needs escaping.
"""

import json
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from schemas.canonical import NO_OVERRIDES, Mode, Overrides
from storage.arrays import bigints, ints, smallints, texts, uuids
from storage.cancels import Cancellation, JobState, insert_cancellations, read_cancels
from storage.connection import Connection
from storage.place import Place
from storage.wallets import Reservation, lock_wallets, reserve

IDEMPOTENCY_KEY_HOURS: Final = 24


class Claim(NamedTuple):
    """An accepted request, as `claims` holds it. A tuple: one is made for each."""

    org_id: uuid.UUID
    container_id: uuid.UUID
    job_id: uuid.UUID
    project_id: uuid.UUID
    layer_id: uuid.UUID
    source_post_id: uuid.UUID
    mode: Mode
    variations: int
    overrides: Overrides
    variation_price: int
    ordinal: int
    requested_by: str
    requested_at_ms: int
    accepted_at_ms: int
    deadline_at_ms: int
    traceparent: str | None
    topic_id: uuid.UUID
    place: Place


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused record. `details` is what the error's details are; ids are null where the record had none."""

    kind: Literal["clone", "cancel"]
    org_id: uuid.UUID | None
    container_id: uuid.UUID
    job_id: uuid.UUID
    project_id: uuid.UUID | None
    code: str
    message: str
    details: dict[str, Any] | None
    refused_at_ms: int
    place: Place


@dataclass(frozen=True, slots=True)
class Layer:
    """One content layer of a project."""

    layer_id: uuid.UUID
    active: bool
    format: str


@dataclass(frozen=True, slots=True)
class SourcePost:
    """A tracked post; `project_id` null means that every project of the organisation may use it."""

    post_id: uuid.UUID
    project_id: uuid.UUID | None
    platform: str
    external_id: str


@dataclass(slots=True)
class Wallet:
    """An organisation's means, as locked."""

    available: int
    running_jobs: int
    max_running_jobs: int


@dataclass(slots=True)
class Lookups:
    """What a batch asks the database."""

    places: set[Place] = field(default_factory=set)
    org_ids: set[uuid.UUID] = field(default_factory=set)
    containers: set[tuple[uuid.UUID, uuid.UUID]] = field(default_factory=set)
    idempotency_keys: set[tuple[uuid.UUID, str]] = field(default_factory=set)
    projects: set[tuple[uuid.UUID, uuid.UUID]] = field(default_factory=set)
    internal_posts: set[tuple[uuid.UUID, uuid.UUID]] = field(default_factory=set)
    external_posts: set[tuple[uuid.UUID, str]] = field(default_factory=set)
    cancel_jobs: set[tuple[uuid.UUID, uuid.UUID]] = field(default_factory=set)
    """(organisation that asks, job): another organisation's job is never read."""


@dataclass(slots=True)
class AdmissionState:
    """What the database knew when the wallets were locked. `decide` changes the mutable parts as it folds a batch."""

    topic_id: uuid.UUID
    now_ms: int
    wallets: dict[uuid.UUID, Wallet] = field(default_factory=dict)
    claims: dict[tuple[uuid.UUID, uuid.UUID], Claim] = field(default_factory=dict)
    decided_below: dict[int, int] = field(default_factory=dict)
    """By partition. What was decided before and not refused was accepted, also where no row of its own says so."""
    refusals: dict[Place, Refusal] = field(default_factory=dict)
    idempotency_keys: dict[tuple[uuid.UUID, str], uuid.UUID] = field(default_factory=dict)
    layers: dict[tuple[uuid.UUID, uuid.UUID], list[Layer]] = field(default_factory=dict)
    """By (organisation, project); a project without layers has an empty list, an unknown project no entry."""
    ordinals: dict[tuple[uuid.UUID, uuid.UUID], int] = field(default_factory=dict)
    internal_posts: dict[tuple[uuid.UUID, uuid.UUID], SourcePost] = field(default_factory=dict)
    external_posts: dict[tuple[uuid.UUID, str], list[SourcePost]] = field(default_factory=dict)
    jobs: dict[uuid.UUID, JobState] = field(default_factory=dict)
    refused_jobs: set[tuple[uuid.UUID, uuid.UUID]] = field(default_factory=set)

    def was_decided(self, place: Place) -> bool:
        """Whether this very record was decided in an earlier batch."""
        return place.offset < self.decided_below.get(place.partition, 0)


@dataclass(slots=True)
class Writes:
    """What a batch decided. Empty parts cost no statement."""

    claims: list[Claim] = field(default_factory=list)
    idempotency_keys: list[tuple[uuid.UUID, str, uuid.UUID]] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    cancellations: list[Cancellation] = field(default_factory=list)


class IdempotencyKeyTaken(Exception):
    """Another writer took an idempotency key between our reading and our writing; read again."""


_CLAIM_COLUMNS: Final = """c.org_id, c.container_id, c.job_id, c.project_id, c.layer_id, c.source_post_id, c.mode,
  c.variations, c.overrides->>'caption', c.overrides->>'cta', c.overrides->>'voiceOverScript', c.variation_price,
  c.ordinal, c.requested_by, (extract(epoch FROM c.requested_at) * 1000)::bigint,
  (extract(epoch FROM c.accepted_at) * 1000)::bigint, (extract(epoch FROM c.deadline_at) * 1000)::bigint,
  c.traceparent, c.topic_id, c.partition, c.record_offset"""


def read(connection: Connection, topic_id: uuid.UUID, lookups: Lookups) -> AdmissionState:
    """Lock the wallets, then read what the batch needs. One round trip."""
    partitions = [place.partition for place in lookups.places]
    with connection.pipeline():
        wallets = lock_wallets(connection, sorted(lookups.org_ids))
        now = connection.execute("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
        # Before the refusals: who commits in between is then not taken for someone who refused nothing.
        progress = connection.execute(
            "SELECT partition, next_offset FROM dedup_progress WHERE topic_id = %s AND partition = ANY(%b::int[])",
            (topic_id, sorted(set(partitions))),
        )
        refusals = connection.execute(
            """SELECT r.kind, r.org_id, r.container_id, r.job_id, r.project_id, r.code, r.message, r.details,
                      (extract(epoch FROM r.refused_at) * 1000)::bigint, r.partition, r.record_offset
               FROM unnest(%b::int[], %b::bigint[]) AS asked (partition, record_offset)
               JOIN refusals r ON r.topic_id = %s AND r.partition = asked.partition
                              AND r.record_offset = asked.record_offset""",
            (ints(partitions), bigints([place.offset for place in lookups.places]), topic_id),
        )
        claims = _pairs(
            connection,
            lookups.containers,
            uuids,
            f"SELECT {_CLAIM_COLUMNS} FROM unnest(%b::uuid[], %b::uuid[]) AS asked (org_id, container_id)"  # noqa: S608 -- constants only
            " JOIN claims c USING (org_id, container_id)",
        )
        keys = _pairs(
            connection,
            lookups.idempotency_keys,
            texts,
            """SELECT k.org_id, k.idempotency_key, k.job_id
               FROM unnest(%b::uuid[], %b::text[]) AS asked (org_id, idempotency_key)
               JOIN idempotency_keys k USING (org_id, idempotency_key)
               WHERE k.accepted_at > clock_timestamp() - interval '24 hours'""",
        )
        layers = _pairs(
            connection,
            lookups.projects,
            uuids,
            """SELECT p.org_id, p.project_id, o.next_ordinal, l.layer_id, l.status, l.format
               FROM unnest(%b::uuid[], %b::uuid[]) AS asked (org_id, project_id)
               JOIN projects p USING (org_id, project_id)
               LEFT JOIN project_ordinals o USING (org_id, project_id)
               LEFT JOIN project_layers l USING (org_id, project_id)
               ORDER BY l.layer_id""",
        )
        internal = _pairs(
            connection,
            lookups.internal_posts,
            uuids,
            """SELECT s.org_id, s.post_id, s.project_id, s.platform, s.external_id
               FROM unnest(%b::uuid[], %b::uuid[]) AS asked (org_id, post_id)
               JOIN source_posts s USING (org_id, post_id)""",
        )
        external = _pairs(
            connection,
            lookups.external_posts,
            texts,
            """SELECT s.org_id, s.post_id, s.project_id, s.platform, s.external_id
               FROM unnest(%b::uuid[], %b::text[]) AS asked (org_id, external_id)
               JOIN source_posts s USING (org_id, external_id)
               ORDER BY s.platform, s.post_id""",
        )
        jobs = read_cancels(connection, lookups.cancel_jobs) if lookups.cancel_jobs else None
    state = AdmissionState(topic_id, _one(now.fetchone()))
    state.wallets = {org_id: Wallet(available, running, most) for org_id, available, running, most in (wallets or ())}
    state.decided_below = dict(progress.fetchall())
    state.refusals = {refusal.place: refusal for refusal in map(_refusal, refusals.fetchall())}
    state.claims = {(row[0], row[1]): _claim(row) for row in claims}
    state.idempotency_keys = {(org_id, key): job_id for org_id, key, job_id in keys}
    for org_id, project_id, ordinal, layer_id, status, layer_format in layers:
        found = state.layers.setdefault((org_id, project_id), [])
        state.ordinals[org_id, project_id] = ordinal or 0
        if layer_id is not None:
            found.append(Layer(layer_id, status == "active", layer_format))
    state.internal_posts = {(row[0], row[1]): SourcePost(*row[1:]) for row in internal}
    for row in external:
        state.external_posts.setdefault((row[0], row[4]), []).append(SourcePost(*row[1:]))
    if jobs is not None:
        state.jobs, state.refused_jobs = jobs()
    return state


def write(connection: Connection, state: AdmissionState, writes: Writes, next_offsets: dict[int, int]) -> None:
    """Write what was decided, and move `dedup_progress` to `next_offsets` (by partition), in one round trip.

    Raises ConstraintViolated (through the connection) or IdempotencyKeyTaken when another writer was faster.
    """
    taken = None
    with connection.pipeline():
        if writes.claims:
            # By job: rows that are next to each other in an index are written together, while its page is at hand.
            claims = sorted(writes.claims, key=_job_number)
            _insert_claims(connection, state, claims)
            _move_ordinals(connection, writes.claims)
            reserve(
                connection,
                [Reservation(c.org_id, c.job_id, c.variations * c.variation_price, c.accepted_at_ms) for c in claims],
            )
        if writes.idempotency_keys:
            taken = connection.execute(
                """INSERT INTO idempotency_keys AS k (org_id, idempotency_key, job_id, accepted_at)
                   SELECT *, to_timestamp(%s / 1000.0) FROM unnest(%b::uuid[], %b::text[], %b::uuid[])
                   ON CONFLICT (org_id, idempotency_key) DO UPDATE
                   SET job_id = excluded.job_id, accepted_at = excluded.accepted_at
                   WHERE k.accepted_at <= clock_timestamp() - interval '24 hours'
                   RETURNING 1""",
                (state.now_ms, *_columns(writes.idempotency_keys, 3)),
            )
        if writes.refusals:
            _insert_refusals(connection, state.topic_id, writes.refusals)
        if writes.cancellations:
            insert_cancellations(connection, writes.cancellations)
        if next_offsets:
            move_progress(connection, state.topic_id, next_offsets)
    if taken is not None and len(taken.fetchall()) != len(writes.idempotency_keys):
        raise IdempotencyKeyTaken


def move_progress(connection: Connection, topic_id: uuid.UUID, next_offsets: dict[int, int]) -> None:
    """Record that everything below these offsets is decided. Never moves back."""
    connection.execute(
        """INSERT INTO dedup_progress AS p (topic_id, partition, next_offset)
           SELECT %s, * FROM unnest(%b::int[], %b::bigint[])
           ON CONFLICT (topic_id, partition) DO UPDATE SET next_offset = excluded.next_offset
           WHERE p.next_offset < excluded.next_offset""",
        # Sorted: a zombie and its successor may move the same rows, and must lock them in one order.
        (topic_id, sorted(next_offsets), [next_offsets[partition] for partition in sorted(next_offsets)]),
    )


def _insert_claims(connection: Connection, state: AdmissionState, claims: Sequence[Claim]) -> None:
    # A job is made of its claim: there is none without. Topic and acceptance are the batch's, not a row's: as scalars
    # they cost nothing to send.
    connection.execute(
        """WITH accepted AS (
             INSERT INTO claims (org_id, container_id, job_id, project_id, layer_id, source_post_id, mode, variations,
               overrides, variation_price, ordinal, requested_by, requested_at, accepted_at, deadline_at, traceparent,
               topic_id, partition, record_offset)
             SELECT org_id, container_id, job_id, project_id, layer_id, source_post_id, mode, variations,
               overrides::jsonb, variation_price, ordinal, requested_by, to_timestamp(requested_at / 1000.0),
               to_timestamp(%s / 1000.0), to_timestamp(deadline_at / 1000.0), traceparent, %s, partition, record_offset
             FROM unnest(%b::uuid[], %b::uuid[], %b::uuid[], %b::uuid[], %b::uuid[], %b::uuid[], %b::text[],
               %b::smallint[], %b::text[], %b::int[], %b::bigint[], %b::text[], %b::bigint[], %b::bigint[], %b::text[],
               %b::int[], %b::bigint[])
             AS new (org_id, container_id, job_id, project_id, layer_id, source_post_id, mode, variations, overrides,
               variation_price, ordinal, requested_by, requested_at, deadline_at, traceparent, partition,
               record_offset)
             RETURNING job_id, org_id, accepted_at
           )
           INSERT INTO jobs (job_id, org_id, accepted_at, updated_at)
           SELECT job_id, org_id, accepted_at, accepted_at FROM accepted""",
        (
            state.now_ms,
            state.topic_id,
            uuids([c.org_id for c in claims]),
            uuids([c.container_id for c in claims]),
            uuids([c.job_id for c in claims]),
            uuids([c.project_id for c in claims]),
            uuids([c.layer_id for c in claims]),
            uuids([c.source_post_id for c in claims]),
            texts([c.mode for c in claims]),
            smallints([c.variations for c in claims]),
            texts([_overrides_json(c.overrides) for c in claims]),
            ints([c.variation_price for c in claims]),
            bigints([c.ordinal for c in claims]),
            texts([c.requested_by for c in claims]),
            bigints([c.requested_at_ms for c in claims]),
            bigints([c.deadline_at_ms for c in claims]),
            texts([c.traceparent for c in claims]),
            ints([c.place.partition for c in claims]),
            bigints([c.place.offset for c in claims]),
        ),
    )


def _move_ordinals(connection: Connection, claims: Sequence[Claim]) -> None:
    """`claims` in the order in which they were decided: a project's last one has its highest ordinal."""
    ordinals: dict[tuple[uuid.UUID, uuid.UUID], int] = {}
    for claim in claims:
        ordinals[claim.org_id, claim.project_id] = claim.ordinal + 1
    connection.execute(
        """INSERT INTO project_ordinals (org_id, project_id, next_ordinal)
           SELECT * FROM unnest(%b::uuid[], %b::uuid[], %b::bigint[])
           ON CONFLICT (org_id, project_id) DO UPDATE SET next_ordinal = excluded.next_ordinal""",
        _columns([(*project, following) for project, following in ordinals.items()], 3),
    )


def _job_number(claim: Claim) -> int:
    return claim.job_id.int


def _insert_refusals(connection: Connection, topic_id: uuid.UUID, refusals: Sequence[Refusal]) -> None:
    rows = [
        (
            r.place.partition,
            r.place.offset,
            r.kind,
            r.org_id,
            r.container_id,
            r.job_id,
            r.project_id,
            r.code,
            r.message,
            None if r.details is None else json.dumps(r.details),
            r.refused_at_ms,
        )
        for r in refusals
    ]
    connection.execute(
        """INSERT INTO refusals (topic_id, partition, record_offset, kind, org_id, container_id, job_id, project_id,
             code, message, details, refused_at)
           SELECT %s, partition, record_offset, kind, org_id, container_id, job_id, project_id, code, message,
             details::jsonb, to_timestamp(refused_at / 1000.0)
           FROM unnest(%b::int[], %b::bigint[], %b::text[], %b::uuid[], %b::uuid[], %b::uuid[], %b::uuid[], %b::text[],
             %b::text[], %b::text[], %b::bigint[])
           AS new (partition, record_offset, kind, org_id, container_id, job_id, project_id, code, message, details,
             refused_at)""",
        (topic_id, *_columns(rows, 11)),
    )


def _pairs(
    connection: Connection, asked: Iterable[tuple[uuid.UUID, Any]], packed: Callable[[Any], bytes], statement: str
) -> Iterable[tuple[Any, ...]]:
    """Ask about pairs of an organisation and what `packed` makes an array of."""
    pairs = list(asked)
    if not pairs:
        return ()
    return connection.execute(statement, (uuids([a for a, _ in pairs]), packed([b for _, b in pairs])), binary=True)


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [[row[column] for row in rows] for column in range(width)]


def _refusal(row: Any) -> Refusal:
    fields = [*row[:9], Place(row[9], row[10])]
    return Refusal(*fields)


def _claim(row: Any) -> Claim:
    fields = [*row[:8], Overrides(*row[8:11]), *row[11:19], Place(row[19], row[20])]
    return Claim(*fields)


def _overrides_json(overrides: Overrides) -> str | None:
    if overrides == NO_OVERRIDES:
        return None
    texts = {"caption": overrides.caption, "cta": overrides.cta, "voiceOverScript": overrides.voice_over_script}
    return json.dumps({name: text for name, text in texts.items() if text is not None})


def _one(row: tuple[Any, ...] | None) -> Any:
    if row is None:
        raise AssertionError("a statement that always returns a row returned none")
    return row[0]
