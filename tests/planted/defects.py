"""Defects, each as the text that it replaces. A text that is not in the source any more is an error: plant it anew."""

from dataclasses import dataclass
from typing import Final

KILLS: Final = "tests/kills/test_roles.py::test_every_role_dies_at_every_failpoint[first pass]"


_TAKEN = """\
             AND CASE WHEN v.state = 'leased' THEN true END AND v.attempt = r.attempt
           RETURNING v.job_id, v.variation_index, v.attempt\"\"\",
        (
            *_lease_columns([r.lease for r in ordered]),
"""
_CLAIMED = """\
               variation_price, ordinal, requested_by, requested_at, deadline_at, traceparent, partition,
               record_offset)
"""
_SETTLED = """\
        [(s.job_id, s.org_id, s.reserved - s.charged, -s.reserved, s.at_ms) for s in settlements],
"""


@dataclass(frozen=True, slots=True)
class Defect:
    """What is changed, and who must notice. `quick` ones are planted in `make test` too."""

    name: str
    file: str
    edits: tuple[tuple[str, str], ...]
    caught_by: str
    quick: bool = False


def _one(name: str, file: str, old: str, new: str, caught_by: str, *, quick: bool = False) -> Defect:
    return Defect(name, file, ((old, new),), caught_by, quick)


DEFECTS: Final = (
    _one(
        "seen before, so skipped: the admission is not published again",
        "consumers/dedup/decide.py",
        "claim.place == question.place:\n        return Accepted(claim)",
        "claim.place == question.place:\n        return Replayed(question.job_id)",
        KILLS,
    ),
    _one(
        "offsets before the database",
        "runtime/batch_loop.py",
        "(batch.records or batch.ends) and self._handle(batch):",
        "(batch.records or batch.ends) and (self._commit(batch), self._handle(batch))[1]:",
        KILLS,
    ),
    _one(
        "a refusal is judged twice",
        "consumers/dedup/decide.py",
        "    before = state.refusals.get(question.place)\n    if before is not None:\n        return Refused(before)\n"
        "    request = question.request",
        "    request = question.request",
        "tests/kills/test_letters.py::test_a_a_refusal_that_was_committed_and_not_told_stays_a_refusal",
    ),
    _one(
        "no fencing token: a result is not held against its attempt",
        "storage/variations.py",
        _TAKEN,
        _TAKEN.replace(" AND v.attempt = r.attempt", ""),
        "tests/generation/test_transitions.py::test_a_stale_attempt_matches_nothing",
    ),
    _one(
        "a claim that raises no attempt",
        "storage/variations.py",
        "state = 'leased', attempt = v.attempt + 1, worker_id",
        "state = 'leased', attempt = greatest(v.attempt, 1), worker_id",
        "tests/kills/test_letters.py::test_e_a_worker_that_was_frozen_past_its_lease_writes_nothing",
    ),
    _one(
        "a plain outbox: published, then marked, and never read back",
        "consumers/relay/relay.py",
        "        marked = self._read_back(connection, checkpoints, ends)\n",
        "        marked = 0\n",
        "tests/relay/test_exactly_once.py::test_a_crash_at_any_step_loses_and_doubles_nothing[1-relay.read_back]",
    ),
    _one(
        "the relay asks for what is newer than the last",
        "storage/outbox.py",
        "FROM outbox WHERE published_at IS NULL ORDER BY created_at LIMIT",
        "FROM outbox WHERE published_at IS NULL AND created_at > (SELECT coalesce(max(created_at), '-infinity') "
        "FROM outbox WHERE published_at IS NOT NULL) ORDER BY created_at LIMIT",
        "tests/relay/test_exactly_once.py::test_events_that_commit_out_of_order_are_all_published",
    ),
    _one(
        "a transactional id for each process",
        "runtime/transactions.py",
        '"transactional.id": transactional_id,',
        '"transactional.id": f"{transactional_id}-{uuid.uuid4()}",',
        "tests/relay/test_exactly_once.py::test_a_zombie_is_fenced_by_its_heir",
    ),
    Defect(
        # Both guards: while wallets are locked no two processes judge one organisation, and the constraint has no say.
        "check, then insert: nothing is locked, and the constraint is passed over",
        "storage/admission.py",
        (
            (
                _CLAIMED,
                _CLAIMED.replace("record_offset)", "record_offset) ON CONFLICT DO NOTHING"),
            ),
            (
                "lock_wallets(connection, sorted(lookups.org_ids))",
                'connection.execute("SELECT org_id, available, running_jobs, max_running_jobs FROM wallets '
                'JOIN organizations USING (org_id) WHERE org_id = ANY(%b::uuid[])", (sorted(lookups.org_ids),), '
                "binary=True)",
            ),
        ),
        "tests/dedup/test_races.py::test_a_claim_that_another_process_wrote_first_wins",
    ),
    _one(
        "wallets are read and not locked",
        "storage/wallets.py",
        "ORDER BY w.org_id FOR UPDATE OF w",
        "ORDER BY w.org_id",
        "tests/dedup/test_races.py::test_the_last_credit_is_spent_once",
    ),
    _one(
        "wallets are locked in any order",
        "storage/admission.py",
        "lock_wallets(connection, sorted(lookups.org_ids))",
        "[lock_wallets(connection, [one]).fetchall() for one in sorted(lookups.org_ids, key=lambda _: "
        "__import__('random').random())] and lock_wallets(connection, sorted(lookups.org_ids))",
        "tests/dedup/test_races.py::test_many_organizations_in_every_batch_do_not_deadlock",
    ),
    _one(
        "a lost worker is not counted",
        "storage/sweeping.py",
        "SET state = 'pending', losses = v.losses + 1,",
        "SET state = 'pending', losses = v.losses,",
        "tests/generation/test_sweeping.py::test_the_third_loss_fails",
    ),
    _one(
        "an expired lease forbids its owner to finish",
        "storage/variations.py",
        _TAKEN,
        _TAKEN.replace("r.attempt\n", "r.attempt AND v.lease_until > clock_timestamp()\n"),
        "tests/generation/test_sweeping.py::test_an_owner_that_is_only_late_may_finish",
    ),
    _one(
        "lost results are not announced again",
        "consumers/generation/sweeper.py",
        "*unheard, *silent]",
        "*silent]",
        KILLS,
    ),
    Defect(
        "settled twice",
        "storage/wallets.py",
        (
            (
                "AS new (job_id, org_id, available_delta, reserved_delta, at)",
                "AS new (job_id, org_id, available_delta, reserved_delta, at) ON CONFLICT DO NOTHING",
            ),
            (
                _SETTLED,
                _SETTLED.replace("settlements]", "settlements] * 2"),
            ),
        ),
        KILLS,
    ),
    _one(
        "credits are settled behind the transaction that ends the job",
        "consumers/projector/consumer.py",
        "            projection.write(connection, projected.batch_id, changes, settlements, completions)\n"
        '            failpoint("project.written")\n        failpoint("project.committed")\n',
        "            projection.write(connection, projected.batch_id, changes, [], completions)\n"
        '            failpoint("project.written")\n        failpoint("project.committed")\n'
        "        with self._database.transaction() as connection:\n"
        "            projection.write(connection, projected.batch_id, [], settlements, [])\n",
        KILLS,
    ),
    _one(
        "a repeated wake-up repeats no event",
        "consumers/projector/consumer.py",
        "untold.among(connection, ended) if ended else {}",
        "{}",
        KILLS,
    ),
    _one(
        "an end is forgotten before it is told",
        "consumers/projector/consumer.py",
        """        self._publisher.publish((projected.events if projected else []) + letters)
        if projected and projected.events:
            self._told(projected)
""",
        """        if projected and projected.events:
            self._told(projected)
        self._publisher.publish((projected.events if projected else []) + letters)
""",
        "tests/projector/test_redelivery.py::test_a_broker_that_does_not_answer_leaves_the_ends_untold",
    ),
    _one(
        "ends that stay untold are not announced",
        "consumers/generation/sweeper.py",
        "*unheard, *silent]\n",
        "*unheard]\n",
        "tests/projector/test_on_kafka.py::test_a_member_that_was_frozen_ends_jobs_and_dies_and_their_ends_are_told",
    ),
    _one(
        "the dead letter is dropped",
        "consumers/dedup/consumer.py",
        "self._publisher.publish(admitted + letters)",
        "self._publisher.publish(admitted)",
        KILLS,
    ),
    _one(
        "a place without its topic",
        "storage/admission.py",
        "JOIN refusals r ON r.topic_id = %s AND r.partition",
        "JOIN refusals r ON %s::uuid IS NOT NULL AND r.partition",
        "tests/dedup/test_redelivery.py::test_the_same_offset_of_another_topic_is_another_record",
        quick=True,
    ),
    _one(
        "the progress is moved before the decision",
        "consumers/dedup/consumer.py",
        "                with self._database.transaction() as connection:\n                    if not questions:\n",
        "                with self._database.transaction() as connection:\n"
        "                    admission.move_progress(connection, self._topic_id, next_offsets)\n"
        "                with self._database.transaction() as connection:\n                    if not questions:\n",
        "tests/dedup/test_batches.py::test_a_death_before_the_commit_takes_decisions_and_progress_back",
    ),
    _one(
        "wallets are not locked: what was read is stale",
        "storage/wallets.py",
        "ORDER BY w.org_id FOR UPDATE OF w",
        "ORDER BY w.org_id",
        "tests/dedup/test_interleaved.py",
    ),
    _one(
        "the progress at a partition's end is one too far",
        "consumers/dedup/consumer.py",
        "following[place.partition] = offset\n",
        "following[place.partition] = offset + 1\n",
        "tests/dedup/test_batches.py::test_progress_moves_at_a_partitions_end_and_an_idle_stage_asks_nothing",
    ),
    _one(
        "an Idempotency-Key that never runs out",
        "storage/admission.py",
        "WHERE k.accepted_at > clock_timestamp() - interval '24 hours'",
        "WHERE k.accepted_at > '-infinity'",
        "tests/dedup/test_rules.py::test_an_idempotency_key_stands_for_24_hours_of_the_database",
        quick=True,
    ),
    _one(
        "published and not waited for",
        "runtime/publishing.py",
        "left = self._producer.flush(self._flush_seconds)",
        "left = 0",
        "tests/kills/test_publishing.py",
        quick=True,
    ),
    _one(
        "202 without the broker's word",
        "producer/ingest/verdicts.py",
        "self._settle(request_id, NotAcknowledged(reason))",
        "self._settle(request_id, LATE)",
        "tests/http/test_outages.py::test_a_broker_that_does_not_acknowledge_is_503_and_says_so",
        quick=True,
    ),
    _one(
        "a refusal gets another event id each time",
        "consumers/dedup/outputs.py",
        "event = record_event_id(state.topic_id, refusal.place.partition, refusal.place.offset, name)",
        "event = __import__('uuid').uuid4()",
        "tests/dedup/test_redelivery.py::test_redelivery_repeats_the_bytes_headers_and_event_ids",
        quick=True,
    ),
)
