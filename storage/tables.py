"""Every table, with the constraints that make wrong states impossible.

The comments on a state column are the state machine: who may write which transition. Migrations create what stands
here. Lock order everywhere: `jobs` (sorted by id), then `wallets` (sorted by id).
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP

metadata: Final = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)
_TIME: Final = TIMESTAMP(timezone=True, precision=3)
_NOW: Final = text("clock_timestamp()")


# --- Reference data: written by admin commands and the import alone -------------------------------------------------

organizations = Table(
    "organizations",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("max_running_jobs", Integer, nullable=False, server_default="1000"),
    Column("created_at", _TIME, nullable=False, server_default=_NOW),
    CheckConstraint("max_running_jobs >= 0", name="max_running_jobs"),
)

projects = Table(
    "projects",
    metadata,
    Column("org_id", Uuid, ForeignKey("organizations.org_id"), nullable=False),
    Column("project_id", Uuid, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("brand", JSONB, nullable=False),
    Column("created_at", _TIME, nullable=False, server_default=_NOW),
    PrimaryKeyConstraint("org_id", "project_id"),
)

project_layers = Table(
    "project_layers",
    metadata,
    Column("org_id", Uuid, nullable=False),
    Column("project_id", Uuid, nullable=False),
    Column("layer_id", Uuid, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("format", Text, nullable=False),
    Column("platform", Text),
    Column("language", Text, nullable=False, server_default="en"),
    Column("created_at", _TIME, nullable=False, server_default=_NOW),
    PrimaryKeyConstraint("org_id", "project_id", "layer_id"),
    ForeignKeyConstraint(["org_id", "project_id"], ["projects.org_id", "projects.project_id"]),
    CheckConstraint("status IN ('active', 'archived')", name="status"),
    CheckConstraint("format IN ('video', 'slideshow')", name="format"),
)

source_posts = Table(
    "source_posts",
    metadata,
    Column("org_id", Uuid, ForeignKey("organizations.org_id"), nullable=False),
    Column("post_id", Uuid, nullable=False, unique=True),
    # Null: every project of the organisation may use the post.
    Column("project_id", Uuid),
    Column("platform", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("format", Text, nullable=False),
    Column("url", Text),
    Column("caption", Text, nullable=False, server_default=""),
    Column("duration_ms", Integer),
    Column("transcript", JSONB),
    Column("shots", JSONB),
    Column("published_at", _TIME),
    Column("metrics", JSONB),
    Column("created_at", _TIME, nullable=False, server_default=_NOW),
    PrimaryKeyConstraint("org_id", "post_id"),
    UniqueConstraint("org_id", "external_id", "platform"),
    ForeignKeyConstraint(["org_id", "project_id"], ["projects.org_id", "projects.project_id"]),
    CheckConstraint("format IN ('video', 'slideshow')", name="format"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("org_id", Uuid, ForeignKey("organizations.org_id"), nullable=False),
    # SHA-256 of the secret; the secret itself is shown once and never stored.
    Column("secret_sha256", LargeBinary, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("tier", Text, nullable=False),
    Column("created_at", _TIME, nullable=False, server_default=_NOW),
    Column("revoked_at", _TIME),
    CheckConstraint("octet_length(secret_sha256) = 32", name="secret_sha256"),
    CheckConstraint("tier IN ('standard', 'pilot', 'partner')", name="tier"),
)

# --- Credits: one module writes them; dedup reserves, project settles, the import grants ---------------------------

wallets = Table(
    "wallets",
    metadata,
    Column("org_id", Uuid, ForeignKey("organizations.org_id"), primary_key=True),
    # Sums of the ledger's deltas, kept beside it so that a check needs no scan; a test and the checker hold them equal.
    Column("available", BigInteger, nullable=False, server_default="0"),
    Column("reserved", BigInteger, nullable=False, server_default="0"),
    Column("running_jobs", Integer, nullable=False, server_default="0"),
    CheckConstraint("available >= 0 AND reserved >= 0 AND running_jobs >= 0", name="never_negative"),
    postgresql_with={"fillfactor": "50"},
)

credit_ledger = Table(
    "credit_ledger",
    metadata,
    # The job, or the grant's own id for kind = 'grant'. The key makes a second reserve or settle of a job impossible.
    Column("job_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("org_id", Uuid, nullable=False),
    Column("available_delta", BigInteger, nullable=False),
    Column("reserved_delta", BigInteger, nullable=False),
    Column("created_at", _TIME, nullable=False, server_default=_NOW),
    PrimaryKeyConstraint("job_id", "kind"),
    CheckConstraint("kind IN ('grant', 'reserve', 'settle')", name="kind"),
)

credit_grants = Table(
    "credit_grants",
    metadata,
    Column("grant_id", Uuid, primary_key=True),
    Column("org_id", Uuid, ForeignKey("organizations.org_id"), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("note", Text),
    Column("created_at", _TIME, nullable=False, server_default=_NOW),
    CheckConstraint("amount > 0", name="amount"),
)

# --- Admission: written by dedup alone ------------------------------------------------------------------------------

claims = Table(
    "claims",
    metadata,
    # One accepted request. Immutable, kept for ever: the idempotency of a container id has no expiry.
    Column("org_id", Uuid, nullable=False),
    Column("container_id", Uuid, nullable=False),
    Column("job_id", Uuid, nullable=False, unique=True),
    Column("project_id", Uuid, nullable=False),
    Column("layer_id", Uuid, nullable=False),
    Column("source_post_id", Uuid, nullable=False),
    Column("mode", Text, nullable=False),
    Column("variations", SmallInteger, nullable=False),
    Column("overrides", JSONB),
    # Credits for one variation, fixed at admission so that settling never depends on a later price.
    Column("variation_price", Integer, nullable=False),
    # The position of this job among its project's jobs, from 0: lets generation walk frames without repeating.
    Column("ordinal", BigInteger, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("requested_at", _TIME, nullable=False),
    Column("accepted_at", _TIME, nullable=False),
    Column("deadline_at", _TIME, nullable=False),
    Column("traceparent", Text),
    # The record that won: the same record read again is not judged again, its outputs are published again.
    Column("topic_id", Uuid, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("record_offset", BigInteger, nullable=False),
    PrimaryKeyConstraint("org_id", "container_id"),
    CheckConstraint("mode IN ('fork', 'reimagine')", name="mode"),
    CheckConstraint("variations BETWEEN 1 AND 10", name="variations"),
    Index("claims_org_newest_idx", "org_id", "accepted_at", "job_id"),
    Index("claims_project_newest_idx", "org_id", "project_id", "accepted_at", "job_id"),
)

refusals = Table(
    "refusals",
    metadata,
    # One refused record (a clone or a cancel), so that redelivery repeats the answer instead of judging anew.
    Column("topic_id", Uuid, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("record_offset", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    # Null when the event's orgId is no UUID; such a refusal can be read over Kafka only.
    Column("org_id", Uuid),
    Column("container_id", Uuid, nullable=False),
    Column("job_id", Uuid, nullable=False),
    # The project that was asked for, as the envelope of a refused job shows it; null when it was no UUID.
    Column("project_id", Uuid),
    Column("code", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("details", JSONB),
    Column("refused_at", _TIME, nullable=False),
    PrimaryKeyConstraint("topic_id", "partition", "record_offset"),
    CheckConstraint("kind IN ('clone', 'cancel')", name="kind"),
    Index("refusals_org_id_job_id_idx", "org_id", "job_id", postgresql_where=text("kind = 'clone'")),
)

cancellations = Table(
    "cancellations",
    metadata,
    # One accepted cancel of a job. Immutable. Accepted is not effective: a job that is finishing may complete.
    Column("job_id", Uuid, ForeignKey("claims.job_id"), primary_key=True),
    Column("org_id", Uuid, nullable=False),
    Column("container_id", Uuid, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("reason", Text),
    Column("canceled_at", _TIME, nullable=False),
    Column("topic_id", Uuid, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("record_offset", BigInteger, nullable=False),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    # Kept for accepted requests only; stands for 24 h of the database's clock, then the sweeper deletes it.
    Column("org_id", Uuid, nullable=False),
    Column("idempotency_key", Text, nullable=False),
    Column("job_id", Uuid, nullable=False),
    Column("accepted_at", _TIME, nullable=False),
    PrimaryKeyConstraint("org_id", "idempotency_key"),
    Index("idempotency_keys_accepted_idx", "accepted_at"),
)

project_ordinals = Table(
    "project_ordinals",
    metadata,
    Column("org_id", Uuid, nullable=False),
    Column("project_id", Uuid, nullable=False),
    Column("next_ordinal", BigInteger, nullable=False),
    PrimaryKeyConstraint("org_id", "project_id"),
    postgresql_with={"fillfactor": "50"},
)

dedup_progress = Table(
    "dedup_progress",
    metadata,
    # Everything below next_offset is decided and visible. It moves in the transaction of the decisions it covers, and
    # lets a GET tell "unknown" (404) from "not decided yet" (503).
    Column("topic_id", Uuid, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("next_offset", BigInteger, nullable=False),
    PrimaryKeyConstraint("topic_id", "partition"),
    postgresql_with={"fillfactor": "50"},
)

# --- Generation: written by generate alone --------------------------------------------------------------------------

variations = Table(
    "variations",
    metadata,
    # Task, lease and result of one variation.
    #   none    -> pending | leased   fan-out; the sweeper where a row is missing
    #   pending -> leased             claim: attempt + 1
    #   leased  -> succeeded | failed its own worker: WHERE state = 'leased' AND attempt = mine
    #   leased  -> pending            retry with not_before (retries + 1); graceful stop; expired lease (losses + 1)
    #   pending | leased -> failed    the sweeper: deadline, third loss
    #   pending | leased -> canceled  an accepted cancel: attempt + 1, so that a late worker's write matches nothing
    # succeeded, failed and canceled never change.
    Column("job_id", Uuid, nullable=False),
    Column("variation_index", SmallInteger, nullable=False),
    Column("org_id", Uuid, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempt", SmallInteger, nullable=False, server_default="0"),
    Column("losses", SmallInteger, nullable=False, server_default="0"),
    # How often a worker said "later"; `attempt` fences, and rises with every lease and every end by others.
    Column("retries", SmallInteger, nullable=False, server_default="0"),
    Column("not_before", _TIME, nullable=False, server_default=_NOW),
    Column("lease_until", _TIME),
    Column("worker_id", Uuid),
    # What the worker is at while it holds the lease, for the job's stage; written only for slow work.
    Column("step", Text),
    Column("deadline_at", _TIME, nullable=False),
    Column("finished_at", _TIME),
    Column("hook_shape", Text),
    Column("visual_format", Text),
    Column("duration_ms", Integer),
    # The creative: hook, caption, cta, voiceOverScript, shots.
    Column("creative", JSONB),
    # How it was made: generator, version, model, tokens, scores, substitutions.
    Column("provenance", JSONB),
    Column("error_code", Text),
    Column("error_message", Text),
    PrimaryKeyConstraint("job_id", "variation_index"),
    CheckConstraint("state IN ('pending', 'leased', 'succeeded', 'failed', 'canceled')", name="state"),
    CheckConstraint("(state = 'leased') = (lease_until IS NOT NULL)", name="lease"),
    CheckConstraint("(state IN ('succeeded', 'failed', 'canceled')) = (finished_at IS NOT NULL)", name="finished"),
    CheckConstraint("(state = 'succeeded') = (creative IS NOT NULL)", name="creative"),
    CheckConstraint("(state = 'failed') = (error_code IS NOT NULL)", name="error"),
    Index("variations_pending_idx", "org_id", "not_before", postgresql_where=text("state = 'pending'")),
    # Not WHERE state = 'leased', which says the same: a plan that was made without statistics took this index, all of
    # it for each row, where a statement asks for a variation by its key "while it is leased".
    Index("variations_leased_idx", "lease_until", postgresql_where=text("lease_until IS NOT NULL")),
)

# --- Rendering: inserted by generate, then written by render alone --------------------------------------------------

renders = Table(
    "renders",
    metadata,
    # Task, lease and result of rendering one variation that has succeeded. Never holds a job up: it ends with its text.
    #   none    -> pending            generate, in the transaction of the success
    #   pending -> leased             claim: attempt + 1
    #   leased  -> ready | failed     its own renderer: WHERE state = 'leased' AND attempt = mine
    #   leased  -> pending            graceful stop; a renderer that was lost: losses + 1
    #   leased  -> failed             the third loss
    # ready and failed never change. No foreign key: its triggers would cost every update of `variations`.
    Column("job_id", Uuid, nullable=False),
    Column("variation_index", SmallInteger, nullable=False),
    Column("org_id", Uuid, nullable=False),
    Column("state", Text, nullable=False, server_default="pending"),
    Column("attempt", SmallInteger, nullable=False, server_default="0"),
    Column("losses", SmallInteger, nullable=False, server_default="0"),
    Column("created_at", _TIME, nullable=False, server_default=_NOW),
    Column("not_before", _TIME, nullable=False, server_default=_NOW),
    Column("lease_until", _TIME),
    Column("finished_at", _TIME),
    # What was made, in order: name, kind, contentType, bytes, sha256 and what its kind has. The attempt says where.
    Column("assets", JSONB),
    Column("error_code", Text),
    Column("error_message", Text),
    PrimaryKeyConstraint("job_id", "variation_index"),
    CheckConstraint("state IN ('pending', 'leased', 'ready', 'failed')", name="state"),
    CheckConstraint("(state = 'leased') = (lease_until IS NOT NULL)", name="lease"),
    CheckConstraint("(state IN ('ready', 'failed')) = (finished_at IS NOT NULL)", name="finished"),
    CheckConstraint("(state = 'ready') = (assets IS NOT NULL)", name="assets"),
    CheckConstraint("(state = 'failed') = (error_code IS NOT NULL)", name="error"),
    Index("renders_pending_idx", "org_id", "not_before", postgresql_where=text("state = 'pending'")),
    Index("renders_leased_idx", "lease_until", postgresql_where=text("state = 'leased'")),
    # How late rendering is.
    Index("renders_unfinished_idx", "created_at", postgresql_where=text("finished_at IS NULL")),
)

# --- Projection: written by project (dedup inserts the running row with the claim) ----------------------------------

outbox = Table(
    "outbox",
    metadata,
    # One completion event. Inserted in the transaction that completes the job; published_at is set only by reading the
    # record back from the log.
    Column("event_id", Uuid, primary_key=True),
    Column("job_id", Uuid, nullable=False),
    Column("record_key", Text, nullable=False),
    Column("record_value", LargeBinary, nullable=False),
    Column("traceparent", Text),
    # Stored, so that a growing topic cannot move an event between two attempts to publish it.
    Column("output_partition", Integer, nullable=False),
    Column("created_at", _TIME, nullable=False),
    Column("published_at", _TIME),
    Column("published_offset", BigInteger),
    CheckConstraint("(published_at IS NULL) = (published_offset IS NULL)", name="published"),
    Index("outbox_unpublished_idx", "created_at", postgresql_where=text("published_at IS NULL")),
)

jobs = Table(
    "jobs",
    metadata,
    # The read table: what GET shows, and what may still change of a job.
    #   none    -> running                        dedup, with the claim and the reservation
    #   running -> running                        project: stage, progress and version only rise
    #   running -> completed | failed | canceled  project alone, when every variation has ended
    # Terminal rows never change.
    # It is a claim's, and completion_event_id an outbox row's, by the statements that write them (decision 0019): a
    # foreign key is checked a row at a time, and locks the row that it finds.
    Column("job_id", Uuid, primary_key=True),
    Column("org_id", Uuid, nullable=False),
    Column("status", Text, nullable=False, server_default="running"),
    Column("stage", Text, nullable=False, server_default="queued"),
    Column("progress", Double, nullable=False, server_default="0"),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("accepted_at", _TIME, nullable=False),
    Column("updated_at", _TIME, nullable=False),
    Column("finished_at", _TIME),
    Column("succeeded", SmallInteger, nullable=False, server_default="0"),
    Column("failed", SmallInteger, nullable=False, server_default="0"),
    Column("canceled", SmallInteger, nullable=False, server_default="0"),
    Column("credits_charged", BigInteger),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("completion_event_id", Uuid),
    CheckConstraint("status IN ('running', 'completed', 'failed', 'canceled')", name="status"),
    CheckConstraint("stage IN ('queued', 'analyzing_source', 'generating', 'rendering', 'finalizing')", name="stage"),
    CheckConstraint("progress BETWEEN 0 AND 1", name="progress"),
    CheckConstraint("(status = 'running') = (finished_at IS NULL)", name="finished"),
    CheckConstraint("(status = 'completed') = (completion_event_id IS NOT NULL)", name="completion_event"),
    CheckConstraint("(status = 'running') = (credits_charged IS NULL)", name="settled"),
    CheckConstraint("(status = 'failed') = (error_code IS NOT NULL)", name="error"),
    # Not WHERE status = 'running', which says the same: plans took it where a statement asks for jobs by their keys
    # "while they run", and compared each job of the batch with each that ran.
    Index("jobs_running_idx", "accepted_at", postgresql_where=text("finished_at IS NULL")),
    postgresql_with={"fillfactor": "60"},
)

untold_ends = Table(
    "untold_ends",
    metadata,
    # Jobs that one transaction of the projector ended, and whose events the broker may not have acknowledged yet.
    Column("batch_id", Uuid, primary_key=True),
    Column("job_ids", ARRAY(Uuid), nullable=False),
    Column("ended_at", _TIME, nullable=False, server_default=_NOW),
)

# --- Rate limits: written by api alone ------------------------------------------------------------------------------

rate_buckets = Table(
    "rate_buckets",
    metadata,
    # The tokens of one key and class that no API process has leased. Below 0: more was spent while Postgres was away.
    # Unlogged, so a lease costs no write to the log; after a crash of the server every bucket is full.
    Column("key_id", Text, nullable=False),
    Column("endpoint_class", Text, nullable=False),
    Column("tokens", Double, nullable=False),
    # What the last lease was given: an UPDATE can only return what it writes.
    Column("granted", Integer, nullable=False, server_default="0"),
    # In microseconds: buckets are filled by what has passed since then, and may be leased from every millisecond.
    Column("filled_at", TIMESTAMP(timezone=True), nullable=False, server_default=_NOW),
    PrimaryKeyConstraint("key_id", "endpoint_class"),
    prefixes=["UNLOGGED"],
    postgresql_with={"fillfactor": "50"},
)

# --- Relay ----------------------------------------------------------------------------------------------------------

relay_checkpoints = Table(
    "relay_checkpoints",
    metadata,
    # Everything below next_offset of the completion topic has been read back and marked. The row lock is leadership,
    # taken per batch; leader_id and leader_seen_at only keep a standby from taking turns with a healthy leader.
    Column("topic_id", Uuid, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("next_offset", BigInteger, nullable=False),
    Column("leader_id", Uuid),
    Column("leader_seen_at", _TIME),
    PrimaryKeyConstraint("topic_id", "partition"),
    postgresql_with={"fillfactor": "50"},
)

# --- Dead letters: written by operators' commands -------------------------------------------------------------------

dead_letter_actions = Table(
    "dead_letter_actions",
    metadata,
    # The audit log of `clonepost dlq`: an intent is committed before its effect. The letters are records of
    # clone.dead-letters and expire there; what was done about them stays.
    Column("letter_id", Uuid, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("note", Text),
    Column("began_at", _TIME, nullable=False, server_default=_NOW),
    Column("topic", Text),
    Column("partition", Integer),
    Column("from_offset", BigInteger),
    # Where a redrive was read back from the log; null while it is in doubt.
    Column("record_offset", BigInteger),
    PrimaryKeyConstraint("letter_id", "attempt"),
    CheckConstraint("kind IN ('redrive', 'discard')", name="kind"),
    CheckConstraint(
        "(kind = 'redrive') = (topic IS NOT NULL AND partition IS NOT NULL AND from_offset IS NOT NULL)", name="place"
    ),
    CheckConstraint("kind = 'redrive' OR record_offset IS NULL", name="record_offset"),
)
