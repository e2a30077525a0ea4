"""The checker can fail: who won, what was answered, and that each record was decided once.

One thing is changed in the snapshot of a good run, and it is named. Each test says everything that must be found, so a
change that sets off another invariant's alarm fails too.
"""

import json
import uuid
from dataclasses import replace

from bench.checker.facts import Facts
from bench.checker.snapshot import Snapshot
from tests.checker.tampering import (
    asked_over_kafka,
    broken,
    changed,
    event_of,
    first,
    in_history,
    in_log,
    in_table,
    outside,
    plus,
    reads_of,
    record_of,
    refusal_over_kafka,
    rewritten,
    told_once,
    without,
)

# 2: one winner, the lowest offset


def test_2_a_later_record_that_took_the_place_of_the_first(good: Snapshot) -> None:
    facts = Facts(good)
    later = first(
        facts.asked,
        lambda one: (
            facts.decisions(one) == ["replayed"]
            and one.kind == "clone"
            and facts.claim_of_job[one.job or ""].partition == one.place[0]
            and asked_over_kafka(good, one.place)
            and asked_over_kafka(good, (one.place[0], facts.claim_of_job[one.job or ""].offset))
        ),
    )
    claim = facts.claim_of_job[later.job or ""]
    found = broken(in_table(good, "claims", changed(claim, offset=later.place[1])))
    assert set(found) == {2}
    # The record that should have won is named; and so is the claim, unless both were requested at the same moment.
    assert found[2].pop() == f"clone.requests/{claim.partition}/{claim.offset}"
    assert found[2] in ([], [f"claims {claim.job}"])


def test_2_a_conflict_that_was_judged_as_something_else(good: Snapshot) -> None:
    claimed = {(claim.org, claim.container) for claim in good.tables.claims}
    of_job = Facts(good).refusals_of_job
    refusal = first(
        good.tables.refusals,
        lambda r: (
            (r.code, r.kind) == ("CONFLICT", "clone")
            and (r.org, r.container) in claimed
            # The same request sent again has another refusal, which is still there to be shown.
            and len(of_job[r.org, r.job]) == 1
            and asked_over_kafka(good, (r.partition, r.offset))
        ),
    )
    found = broken(in_table(good, "refusals", changed(refusal, code="BILLING_EXHAUSTED")))
    # Whoever was shown the refusal was shown something else.
    assert found == {2: [f"clone.requests/{refusal.partition}/{refusal.offset}"], 8: reads_of(good, refusal.job)}


def test_2_a_second_winner(good: Snapshot) -> None:
    claim = first(good.tables.claims)
    second = replace(claim, job=str(uuid.uuid4()))
    found = broken(in_table(good, "claims", plus(second)))
    assert f"claims {claim.org} {claim.container}" in found[2]


def test_2_a_price_that_is_not_the_layers(good: Snapshot) -> None:
    claim = first(good.tables.claims)
    found = broken(in_table(good, "claims", changed(claim, layer_format="hologram")))
    assert found == {2: [f"claims {claim.job}"]}


def test_2_a_number_that_two_jobs_of_a_project_have(good: Snapshot) -> None:
    claim = first(good.tables.claims, lambda c: c.ordinal == 1)
    found = broken(in_table(good, "claims", changed(claim, ordinal=0)))
    # One number is two jobs', and another one nobody's.
    assert found == {2: [f"project {claim.project}"] * 2}


# 3: same request, same answer


def test_3_an_answer_that_differs_in_one_byte(good: Snapshot) -> None:
    number, posted = first(enumerate(good.history.posted), lambda one: one[1].status == 202)
    found = broken(in_history(good, "posted", changed(posted, body=posted.body + " ")))
    assert found == {3: [f"history posted {number} (job {posted.job})"]}


def test_3_a_conflict_that_was_answered_202_at_once(good: Snapshot) -> None:
    winner = first(good.history.posted, lambda posted: posted.status == 202)
    number, posted = first(enumerate(good.history.posted), lambda one: one[1].status == 409)
    facts = Facts(good)
    accepted = in_history(
        good,
        "posted",
        changed(
            posted,
            status=202,
            body=winner.body.replace(outside(winner.job, "job"), outside(posted.job, "job")).replace(
                outside(winner.container, "cnt"), outside(posted.container, "cnt")
            ),
            location=f"/v1/jobs/{outside(posted.job, 'job')}",
            ended_at=posted.started_at + 0.01,
        ),
    )
    assert facts.refusal_at
    assert broken(accepted) == {3: [f"history posted {number} (job {posted.job})"]}


def test_3_a_replay_that_was_none(good: Snapshot) -> None:
    number, posted = first(
        enumerate(good.history.posted),
        lambda one: one[1].status == 202 and Facts(good).decisions(record_of(good, one[1].request_id)) == ["accepted"],
    )
    found = broken(in_history(good, "posted", changed(posted, replayed=True)))
    assert found == {3: [f"history posted {number} (job {posted.job})"]}


def test_3_an_idempotency_key_for_another_request(good: Snapshot) -> None:
    row = first(good.tables.idempotency_keys)
    found = broken(in_table(good, "idempotency_keys", changed(row, job=str(uuid.uuid4()))))
    places = {f"clone.requests/{one.place[0]}/{one.place[1]}" for one in Facts(good).asked if one.job == row.job}
    assert set(found) == {3}
    assert set(found[3]) <= places


def test_3_an_error_that_is_not_the_refusal(good: Snapshot) -> None:
    number, posted = first(enumerate(good.history.posted), lambda one: one[1].status == 404)
    error = json.loads(posted.body)
    error["error"]["code"] = "CONFLICT"
    found = broken(in_history(good, "posted", changed(posted, body=json.dumps(error))))
    assert found == {3: [f"history posted {number} (job {posted.job})"]}


# 12: one decision a record


def test_12_a_record_with_two_decisions(good: Snapshot) -> None:
    facts = Facts(good)
    refusal = refusal_over_kafka(good, "NOT_FOUND")
    one = facts.asked_at[refusal.partition, refusal.offset]
    found = broken(in_table(good, "refusals", plus(refusal)))
    assert found == {12: [f"clone.requests/{one.place[0]}/{one.place[1]}"]}


def test_12_a_record_without_a_decision(good: Snapshot) -> None:
    refusal = refusal_over_kafka(good, "NOT_FOUND")
    event = first(
        good.logs["clone.admissions"].records,
        lambda r: refusal.job.encode() in (r.value or b""),
    )
    found = broken(in_table(good, "refusals", without(refusal)))
    place = f"clone.requests/{refusal.partition}/{refusal.offset}"
    # What was told about it is now a decision that no table has, and so is what a client was shown.
    told = f"clone.admissions/{event.partition}/{event.offset}"
    assert found == {8: reads_of(good, refusal.job), 12: [place, told]}


def test_12_a_decision_on_a_record_that_does_not_exist(good: Snapshot) -> None:
    refusal = refusal_over_kafka(good, "NOT_FOUND")
    found = broken(in_table(good, "refusals", changed(refusal, offset=10_000)))
    assert f"refusals clone.requests/{refusal.partition}/10000" in found[12]
    assert f"clone.requests/{refusal.partition}/{refusal.offset}" in found[12]


def test_12_an_admission_that_was_never_told(good: Snapshot) -> None:
    claim = first(good.tables.claims, lambda c: told_once(good, c.job))
    event = event_of(good, "clone.admissions", claim.job)
    assert broken(in_log(good, "clone.admissions", without(event))) == {12: [f"claims {claim.job}"]}


def test_12_an_admission_that_was_told_in_two_ways(good: Snapshot) -> None:
    claim = first(good.tables.claims, lambda c: told_once(good, c.job))
    event = event_of(good, "clone.admissions", claim.job)
    other = replace(event, offset=10_000, value=rewritten(event, variations=7))
    found = broken(in_log(good, "clone.admissions", plus(other)))
    assert found[12] == [f"clone.admissions/{event.partition}/10000"]


def test_12_malformed_and_yet_not_refused_for_it(good: Snapshot) -> None:
    refusal = refusal_over_kafka(good, "VALIDATION_FAILED")
    found = broken(in_table(good, "refusals", changed(refusal, code="NOT_FOUND")))
    assert found == {12: [f"clone.requests/{refusal.partition}/{refusal.offset}"]}
