"""The checker can fail: ends, credits, variations and envelopes.

One thing is changed in the snapshot of a good run, and it is named. Each test says everything that must be found, so a
change that sets off another invariant's alarm fails too.
"""

import json
import uuid
from collections import Counter
from dataclasses import replace

import pytest

from bench.checker.history import Produced, WorkersKept
from bench.checker.snapshot import Snapshot
from tests.checker.tampering import (
    and_seen,
    broken,
    changed,
    claim_of,
    event_of,
    fields_of,
    first,
    in_history,
    in_log,
    in_table,
    job_in,
    plus,
    reads_of,
    rewritten,
    without,
)

# 1: every 202 ends


def test_1_an_acknowledged_record_that_the_log_lost(good: Snapshot) -> None:
    topic = good.prefixed("clone.requests")
    lost = Produced(what="clone", topic=topic, partition=2, offset=10_000, started_at=1, ended_at=2)
    number = len(good.history.produced)
    assert broken(and_seen(good, lost)) == {1: [f"history produced {number} (clone.requests/2/10000)"]}


def test_1_an_end_that_nobody_is_told(good: Snapshot) -> None:
    job = job_in(good, "failed").job
    event = event_of(good, "clone.job-events", job)
    assert broken(in_log(good, "clone.job-events", without(event))) == {1: [f"jobs {job}"]}


def test_1_a_job_that_never_ends(good: Snapshot) -> None:
    job = job_in(good, "failed")
    running = changed(job, status="running", stage="generating", charged=None, error_code=None, finished_at_ms=None)
    found = broken(in_table(good, "jobs", running))
    event = event_of(good, "clone.job-events", job.job)
    place = f"clone.job-events/{event.partition}/{event.offset}"
    # It is told to have ended, its credits are settled and not counted as running, its variations have all ended.
    assert found.pop(1) == [f"jobs {job.job}", place]
    assert found.pop(4) == [f"credit_ledger {job.job}", f"wallets {job.org}"]
    assert set(found.pop(8)) == {f"jobs {job.job}", place, *reads_of(good, job.job)}
    assert found == {}


def test_1_a_202_of_which_nothing_is_known(good: Snapshot) -> None:
    number, posted = first(enumerate(good.history.posted), lambda one: one[1].status == 404)
    gone = replace(posted, status=202, job=str(uuid.uuid4()))
    found = broken(in_history(good, "posted", changed(posted, status=202, job=gone.job)))
    assert found[1] == [f"history posted {number} (job {gone.job})"]


# 4: credits


def test_4_a_settlement_that_is_missing(good: Snapshot) -> None:
    entry = first(good.tables.ledger, lambda e: e.kind == "settle" and e.available > 0)
    found = broken(in_table(good, "ledger", without(entry)))
    assert found == {4: [f"credit_ledger {entry.job}", f"wallets {entry.org}"]}


def test_4_a_settlement_that_came_twice(good: Snapshot) -> None:
    entry = first(good.tables.ledger, lambda e: e.kind == "settle" and e.available > 0)
    found = broken(in_table(good, "ledger", plus(entry)))
    assert found == {4: [f"credit_ledger {entry.job}", f"wallets {entry.org}"]}


def test_4_a_wallet_that_the_ledger_does_not_explain(good: Snapshot) -> None:
    wallet = first(good.tables.wallets)
    found = broken(in_table(good, "wallets", changed(wallet, available=wallet.available + 1)))
    # Neither the ledger's sum nor what was granted explains it.
    assert found == {4: [f"wallets {wallet.org}"] * 2}


def test_4_a_charge_for_a_variation_that_failed(good: Snapshot) -> None:
    job = job_in(good, "failed")
    found = broken(in_table(good, "jobs", changed(job, charged=120)))
    assert found == {4: [f"jobs {job.job}", f"wallets {job.org}"]}


def test_4_a_job_that_still_counts_as_running(good: Snapshot) -> None:
    wallet = first(good.tables.wallets)
    found = broken(in_table(good, "wallets", changed(wallet, running_jobs=1)))
    assert found == {4: [f"wallets {wallet.org}"]}


# 5: each variation ends once


def test_5_a_result_of_a_stale_attempt(good: Snapshot) -> None:
    row = first(good.tables.variations, lambda v: v.state == "succeeded")
    found = broken(in_table(good, "variations", changed(row, written_by=row.attempt - 1)))
    assert found == {5: [f"variations {row.job} {row.index}"]}


def test_5_more_ends_than_attempts(good: Snapshot) -> None:
    row = first(good.tables.variations, lambda v: v.state == "succeeded")
    found = broken(in_table(good, "variations", changed(row, retries=row.attempt - row.losses)))
    assert found == {5: [f"variations {row.job} {row.index}"]}


def test_5_a_write_after_the_jobs_end(good: Snapshot) -> None:
    row = first(good.tables.variations, lambda v: v.state == "succeeded")
    late = changed(row, finished_at_ms=(row.finished_at_ms or 0) + 3_600_000)
    assert broken(in_table(good, "variations", late)) == {5: [f"variations {row.job} {row.index}"]}


def test_5_a_variation_too_many(good: Snapshot) -> None:
    row = first(good.tables.variations, lambda v: v.state == "canceled")
    claim = claim_of(good, row.job)
    found = broken(in_table(good, "variations", plus(replace(row, index=claim.variations))))
    assert found[5] == [f"variations {row.job}"]


def test_5_a_wake_up_for_a_variation_that_has_not_ended(good: Snapshot) -> None:
    record = first(
        good.logs["clone.variation-results"].records,
        lambda r: b"-" in (r.value or b"") and fields_of(r)["indexes"],
    )
    value = rewritten(record, indexes=[*fields_of(record)["indexes"], 9])
    found = broken(in_log(good, "clone.variation-results", changed(record, value=value)))
    assert found == {5: [f"clone.variation-results/{record.partition}/{record.offset}"]}


def test_5_a_lost_worker_where_none_was_lost(good: Snapshot) -> None:
    row = first(good.tables.variations, lambda v: v.state == "canceled")
    lost = in_table(good, "variations", changed(row, losses=1, attempt=row.attempt + 1))
    assert broken(lost) == {}
    assert broken(and_seen(good, WorkersKept())) == {}
    assert broken(and_seen(lost, WorkersKept())) == {5: [f"variations {row.job} {row.index}"]}


# 8: the envelope is the fold


def test_8_a_count_that_the_variations_do_not_make(good: Snapshot) -> None:
    job = job_in(good, "completed")
    found = broken(in_table(good, "jobs", changed(job, succeeded=job.succeeded + 1)))
    assert found == {8: [f"jobs {job.job}"]}


def test_8_an_error_that_no_variation_has(good: Snapshot) -> None:
    job = job_in(good, "failed")
    event = event_of(good, "clone.job-events", job.job)
    found = broken(in_table(good, "jobs", changed(job, error_code="INTERNAL")))
    assert found == {8: [f"jobs {job.job}", f"clone.job-events/{event.partition}/{event.offset}"]}


def test_8_a_terminal_event_with_a_wrong_number(good: Snapshot) -> None:
    event = event_of(good, "clone.job-events", job_in(good, "failed").job)
    value = rewritten(event, variationsFailed=9)
    found = broken(in_log(good, "clone.job-events", changed(event, value=value)))
    assert found == {8: [f"clone.job-events/{event.partition}/{event.offset}"]}


def test_8_a_cancel_that_nobody_accepted(good: Snapshot) -> None:
    canceled = {job.job for job in good.tables.jobs if job.status == "canceled"}
    row = first(good.tables.cancellations, lambda cancellation: cancellation.job in canceled)
    found = broken(in_table(good, "cancellations", without(row)))
    assert found[8] == [f"jobs {row.job}"]


@pytest.mark.parametrize("field", ["status", "progress", "finishedAt", "result"])
def test_8_an_envelope_that_is_not_the_fold(good: Snapshot, field: str) -> None:
    seen = Counter(read.job for read in good.history.job_read)
    number, read = first(
        enumerate(good.history.job_read), lambda one: one[1].job_status == "completed" and seen[one[1].job] == 1
    )
    shown = {**json.loads(read.body), field: None}
    found = broken(in_history(good, "job_read", changed(read, body=json.dumps(shown))))
    assert found == {8: [f"history job_read {number} (job {read.job})"]}
