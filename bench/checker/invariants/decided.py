"""12: every record of clone.requests has exactly one decision, every decision its record, and each is told."""

from bench.checker import identity
from bench.checker.avro import decode
from bench.checker.facts import Facts
from bench.checker.report import Findings
from bench.checker.requests import Asked, poison_reason
from bench.checker.snapshot import LogRecord
from bench.checker.system import ADMISSIONS, REQUESTS


def judge(facts: Facts, found: Findings) -> None:
    """Count by count."""
    judge_decisions(facts, found)
    _told(facts, found)


def judge_decisions(facts: Facts, found: Findings) -> None:
    """The decisions alone: where others write to clone.admissions too, it tells more than was decided."""
    for one in facts.asked:
        _one_decision(facts, found, one)
    _no_phantoms(facts, found)


def _one_decision(facts: Facts, found: Findings, one: Asked) -> None:
    where = _place(one.place)
    decisions = facts.decisions(one)
    found.notes[f"records that are {decisions[0]}" if decisions else "records undecided"] += 1
    if not found.expect(len(decisions) == 1, where, f"{len(decisions)} decisions: {', '.join(decisions) or 'none'}"):
        return
    decision = decisions[0]
    allowed = {"poison": {"dead-lettered"}, "cancel": {"canceled", "replayed", "refused"}}.get(
        one.kind, {"accepted", "replayed", "refused"}
    )
    found.expect(decision in allowed, where, f"a {one.kind} record must not be {decision}")
    if one.kind == "poison" or decision == "dead-lettered":
        return
    if decision == "refused":
        refusal = facts.refusal_at[one.place][0]
        found.expect(
            (refusal.code == "VALIDATION_FAILED") == (one.job is None),
            where,
            f"refused as {refusal.code}, but the record is {'malformed' if one.job is None else 'well-formed'}",
        )
        same = (refusal.kind, refusal.org, refusal.container) == (one.kind, one.org, one.container)
        found.expect(same and one.job in (None, refusal.job), where, "its refusal names another request")
    elif decision == "canceled":
        cancellation = facts.cancellation_at[one.place][0]
        same = (cancellation.org, cancellation.container, cancellation.job) == (one.org, one.container, one.job)
        found.expect(same, where, "its cancellation names another job")
    else:
        found.expect(one.job is not None, where, f"a malformed record is {decision}")


def _no_phantoms(facts: Facts, found: Findings) -> None:
    log = facts.snapshot.logs[REQUESTS]
    for name, places in (
        ("claims", facts.claim_at),
        ("refusals", facts.refusal_at),
        ("cancellations", facts.cancellation_at),
    ):
        for place in places:
            if place[1] < log.starts.get(place[0], 0):
                found.notes["decisions on records that retention has deleted"] += 1
                continue
            found.expect(place in facts.asked_at, f"{name} {_place(place)}", "there is no such record")


def _told(facts: Facts, found: Findings) -> None:
    """Each claim, refusal and cancellation is in clone.admissions, and nothing else is; copies are exact."""
    log = facts.snapshot.logs[ADMISSIONS]
    copies: dict[str, LogRecord] = {}
    for record in log.records:
        if poison_reason(ADMISSIONS, record) is not None:
            continue
        name, fields = decode(record.value)
        where = f"{ADMISSIONS}/{record.partition}/{record.offset}"
        first = copies.setdefault(fields["eventId"], record)
        if first is not record:
            found.notes["admissions told again"] += 1
            found.expect(first.value == record.value, where, f"{name} {fields['eventId']} was told with other bytes")
        found.expect(record.header("ce_id") == fields["eventId"], where, "ce_id is not the eventId")
    expected = _expected(facts)
    for event_id, record in copies.items():
        where = f"{ADMISSIONS}/{record.partition}/{record.offset}"
        found.expect(event_id in expected, where, f"event {event_id} tells a decision that no table has")
    if not log.whole:
        found.notes["clone.admissions has lost its beginning: what it lacks was not judged"] += 1
        return
    for event_id, what in expected.items():
        found.expect(event_id in copies, what, f"was never told: event {event_id} is not in {ADMISSIONS}")


def _expected(facts: Facts) -> dict[str, str]:
    tables = facts.snapshot.tables
    expected = {identity.job_event_id(claim.job, "CloneAccepted"): f"claims {claim.job}" for claim in tables.claims}
    for cancellation in tables.cancellations:
        expected[identity.job_event_id(cancellation.job, "CloneCanceled")] = f"cancellations {cancellation.job}"
    for refusal in tables.refusals:
        if refusal.topic_id != facts.requests_id:
            # Of an earlier topic of that name, whose admissions may be as old.
            continue
        name = "CloneRejected" if refusal.kind == "clone" else "CancelRejected"
        event_id = identity.record_event_id(refusal.topic_id, refusal.partition, refusal.offset, name)
        expected[event_id] = f"refusals {_place((refusal.partition, refusal.offset))}"
    return expected


def _place(place: tuple[int, int]) -> str:
    return f"{REQUESTS}/{place[0]}/{place[1]}"
