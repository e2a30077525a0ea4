"""The checker can fail: completion records, the outbox, dead letters and what is left to do.

One thing is changed in the snapshot of a good run, and it is named. Each test says everything that must be found, so a
change that sets off another invariant's alarm fails too.
"""

import uuid
from dataclasses import replace
from typing import Any

import pytest

from bench.checker import judge
from bench.checker.history import Drained, RecordsDeleted, Sampled
from bench.checker.snapshot import LogRecord, Snapshot
from bench.checker.system import GROUPS
from tests.checker.tampering import (
    and_seen,
    broken,
    changed,
    event_of,
    fields_of,
    first,
    in_history,
    in_log,
    in_table,
    job_in,
    plus,
    rewritten,
    without,
)

# 6: one completion record per completed job


def test_6_a_completion_record_that_came_twice(good: Snapshot) -> None:
    log = good.logs["clone.jobs-completed"]
    # In the gap that a transaction's marker left, so that nothing but the record is new.
    taken = {(record.partition, record.offset) for record in log.records}
    record = first(log.records, lambda r: (r.partition, r.offset + 1) not in taken)
    again = replace(record, offset=record.offset + 1)
    place = f"clone.jobs-completed/{again.partition}/{again.offset}"
    job = fields_of(record)["jobId"]
    found = broken(in_log(good, "clone.jobs-completed", plus(again)))
    # The outbox has one event for two records, and the live analyst saw one.
    assert found == {6: [f"jobs {job}", place], 7: [place]}


def test_6_a_record_that_the_live_analyst_missed(good: Snapshot) -> None:
    read = first(good.history.completion_read)
    found = broken(in_history(good, "completion_read", without(read)))
    assert found == {6: [f"clone.jobs-completed/{read.partition}/{read.offset}"]}


def test_6_a_record_that_only_the_live_analyst_saw(good: Snapshot) -> None:
    read = first(good.history.completion_read)
    number, other = len(good.history.completion_read), str(uuid.uuid4())
    ghost = replace(read, offset=read.offset + 10_000, event_id=other)
    found = broken(and_seen(good, ghost))
    where = f"history completion_read {number} ({read.reader} {read.partition}/{ghost.offset})"
    assert found == {6: [where]}


def test_6_a_completed_job_without_arecord_of(good: Snapshot) -> None:
    job = job_in(good, "completed")
    record = event_of(good, "clone.jobs-completed", job.job)
    found = broken(in_log(good, "clone.jobs-completed", without(record)))
    read = first(
        enumerate(good.history.completion_read),
        lambda one: (one[1].partition, one[1].offset) == (record.partition, record.offset),
    )
    where = f"history completion_read {read[0]} ({read[1].reader} {record.partition}/{record.offset})"
    assert found == {6: [f"jobs {job.job}", where], 7: [f"outbox {job.completion_event_id}"]}


def test_6_a_completion_record_with_a_wrong_number(good: Snapshot) -> None:
    job = job_in(good, "completed")
    record = event_of(good, "clone.jobs-completed", job.job)
    value = rewritten(record, creditsCharged=(job.charged or 0) + 1)
    found = broken(in_log(good, "clone.jobs-completed", changed(record, value=value)))
    place = f"clone.jobs-completed/{record.partition}/{record.offset}"
    assert found == {6: [place], 7: [f"outbox {job.completion_event_id}"]}


# 7: the log is the outbox


def test_7_an_event_that_the_outbox_does_not_have(good: Snapshot) -> None:
    row = first(good.tables.outbox)
    record = event_of(good, "clone.jobs-completed", row.job)
    place = f"clone.jobs-completed/{record.partition}/{record.offset}"
    assert broken(in_table(good, "outbox", without(row))) == {7: [place, f"jobs {row.job}"]}


def test_7_a_mark_at_the_wrong_place(good: Snapshot) -> None:
    row = first(good.tables.outbox)
    found = broken(in_table(good, "outbox", changed(row, offset=(row.offset or 0) + 1)))
    assert found == {7: [f"outbox {row.event_id}"]}


def test_7_other_bytes_than_were_committed(good: Snapshot) -> None:
    row = first(good.tables.outbox)
    assert broken(in_table(good, "outbox", changed(row, value=row.value + b"\0"))) == {7: [f"outbox {row.event_id}"]}


# 10: poison


def _letter(snapshot: Snapshot, topic: str) -> tuple[LogRecord, str]:
    letter = first(
        snapshot.logs["clone.dead-letters"].records, lambda r: r.header("dlq_topic") == snapshot.prefixed(topic)
    )
    return letter, f"{snapshot.prefixed(topic)}/{letter.header('dlq_partition')}/{letter.header('dlq_offset')}"


def test_10_poison_without_a_letter(good: Snapshot) -> None:
    letter, source = _letter(good, "clone.requests")
    found = broken(in_log(good, "clone.dead-letters", without(letter)))
    # A record of clone.requests that is nowhere has no decision either.
    assert found == {10: [source], 12: [source.removeprefix(good.topic_prefix)]}


def test_10_a_letter_that_is_not_therecord_of(good: Snapshot) -> None:
    letter, _ = _letter(good, "clone.requests")
    found = broken(in_log(good, "clone.dead-letters", changed(letter, value=b"other")))
    assert found == {10: [f"clone.dead-letters/{letter.partition}/{letter.offset}"]}


def test_10_two_letters_for_onerecord_of(good: Snapshot) -> None:
    letter, source = _letter(good, "clone.requests")
    headers = tuple((k, str(uuid.uuid4()).encode() if k == "ce_id" else v) for k, v in letter.headers)
    second = replace(letter, offset=letter.offset + 10_000, headers=headers)
    assert broken(in_log(good, "clone.dead-letters", plus(second))) == {10: [source]}


def test_10_a_copy_of_a_letter_is_allowed_and_counted(good: Snapshot) -> None:
    letter, _ = _letter(good, "clone.requests")
    report = judge(in_log(good, "clone.dead-letters", plus(replace(letter, offset=letter.offset + 10_000))))
    assert report.ok
    assert report.findings[9].notes["copies of dead letters"] == 1


def test_10_a_letter_for_a_record_that_is_no_poison(good: Snapshot) -> None:
    letter, _ = _letter(good, "clone.requests")
    claim = first(good.tables.claims)
    place = {"dlq_partition": str(claim.partition), "dlq_offset": str(claim.offset), "ce_id": str(uuid.uuid4())}
    headers = tuple((k, place[k].encode() if k in place else v) for k, v in letter.headers)
    stray = replace(letter, offset=letter.offset + 10_000, headers=headers)
    found = broken(in_log(good, "clone.dead-letters", plus(stray)))
    # Accepted and dead-lettered are two decisions.
    assert found[10] == [f"clone.dead-letters/{stray.partition}/{stray.offset}"]
    assert found[12] == [f"clone.requests/{claim.partition}/{claim.offset}"]


def test_10_poison_that_was_deleted_and_came_back_may_have_no_letter(good: Snapshot) -> None:
    letter, _ = _letter(good, "clone.variation-results")
    lost = in_log(good, "clone.dead-letters", without(letter))
    deleted = RecordsDeleted(topic=good.prefixed("clone.variation-results"))
    assert 10 in broken(lost)
    assert 10 not in broken(in_history(lost, "records_deleted", plus(deleted)))


def test_10_a_letter_may_outlive_its_record_and_not_be_of_another_one(good: Snapshot) -> None:
    letter, _ = _letter(good, "clone.variation-results")
    log = good.logs["clone.variation-results"]
    deleted = replace(log, records=[], starts=log.ends)
    assert 10 not in broken(replace(good, logs={**good.logs, log.name: deleted}))
    stray = replace(letter, headers=tuple((k, b"10000" if k == "dlq_offset" else v) for k, v in letter.headers))
    found = broken(
        replace(
            in_log(good, "clone.dead-letters", changed(letter, headers=stray.headers)),
            logs={
                **good.logs,
                log.name: deleted,
                "clone.dead-letters": replace(
                    good.logs["clone.dead-letters"],
                    records=[stray if one is letter else one for one in good.logs["clone.dead-letters"].records],
                ),
            },
        )
    )
    assert found[10] == [f"clone.dead-letters/{letter.partition}/{letter.offset}"]


# 11: everything drains


@pytest.mark.parametrize("stage", GROUPS)
def test_11_a_group_that_is_behind(good: Snapshot, stage: str) -> None:
    partition, offset = first(good.committed[stage].items())
    behind = {**good.committed, stage: {**good.committed[stage], partition: offset - 1}}
    assert broken(replace(good, committed=behind)) == {11: [f"group {stage} {GROUPS[stage]}/{partition}"]}


@pytest.mark.parametrize(("table", "topic"), [("dedup_progress", "requests"), ("relay_checkpoints", "jobs-completed")])
def test_11_progress_that_is_behind(good: Snapshot, table: str, topic: str) -> None:
    last = {record.partition: record.offset for record in good.logs[f"clone.{topic}"].records}
    (topic_id, partition), _ = first(getattr(good.tables, table).items(), lambda item: item[0][1] in last)
    behind: Any = {**getattr(good.tables, table), (topic_id, partition): last[partition]}
    found = broken(replace(good, tables=replace(good.tables, **{table: behind})))
    assert found == {11: [f"{table} clone.{topic}/{partition}"]}


def test_11_an_event_that_is_not_marked(good: Snapshot) -> None:
    row = first(good.tables.outbox)
    found = broken(in_table(good, "outbox", changed(row, published=False, offset=None)))
    assert found == {7: [f"outbox {row.event_id}"], 11: [f"outbox {row.event_id}"]}


def test_11_an_end_that_is_untold(good: Snapshot) -> None:
    job = first(good.tables.jobs).job
    assert broken(in_table(good, "untold", plus(job))) == {11: [f"untold_ends {job}"]}


def test_11_a_system_that_did_not_drain(good: Snapshot) -> None:
    number = len(good.history.drained)
    stuck = Drained(seconds=None, within_seconds=60, still_seconds=61, waiting_for="dedup is 3 records behind")
    assert broken(and_seen(good, stuck)) == {11: [f"history drained {number}"]}


def test_11_a_system_that_stood_still_before_it_had_drained(good: Snapshot) -> None:
    number = len(good.history.drained)
    slow = Drained(seconds=500, within_seconds=60, still_seconds=4)
    assert broken(and_seen(good, slow)) == {}
    assert broken(and_seen(good, replace(slow, still_seconds=61))) == {11: [f"history drained {number}"]}


@pytest.mark.parametrize(("rss_bytes", "threads"), [(100_000_000, 1), (0, 10)])
def test_11_a_process_that_grows(good: Snapshot, rss_bytes: int, threads: int) -> None:
    flat = [Sampled(process="dedup/1", at=n, rss_bytes=50_000_000, threads=5) for n in range(20)]
    grown = [
        replace(s, rss_bytes=s.rss_bytes + n * rss_bytes // 10, threads=s.threads + n * threads // 10)
        for n, s in enumerate(flat)
    ]
    assert broken(and_seen(good, *flat)) == {}
    assert broken(and_seen(good, *grown)) == {11: ["process dedup/1"]}
