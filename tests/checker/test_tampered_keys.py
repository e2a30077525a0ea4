"""The checker can fail: an Idempotency-Key that ran out stands no more, and one that did not stands."""

from bench.checker.facts import Facts
from bench.checker.history import KeysAged
from bench.checker.requests import Asked
from bench.checker.snapshot import Refusal, Snapshot
from tests.checker.tampering import and_seen, broken, changed, first, in_log, in_table, rewritten


def conflict(good: Snapshot) -> tuple[Refusal, Asked, str]:
    """A conflict, its record, and the key as a history writes it; accepted was one record with that key alone."""
    facts = Facts(good)
    used: dict[str, list[str]] = {}
    for one in facts.asked:
        if one.kind == "clone" and one.idempotency_key is not None and one.job is not None:
            used.setdefault(f"{one.org} {one.idempotency_key}", []).extend(facts.decisions(one))
    refusal = first(
        good.tables.refusals,
        lambda r: (
            r.code == "IDEMPOTENCY_CONFLICT"
            and sorted(set(used[_key(facts.asked_at[r.partition, r.offset])])) == ["accepted", "refused"]
        ),
    )
    one = facts.asked_at[refusal.partition, refusal.offset]
    return refusal, one, _key(one)


def _key(one: Asked) -> str:
    return f"{one.org} {one.idempotency_key}"


def aged(at_ms: int, key: str, *, certain: bool = True) -> KeysAged:
    return KeysAged(at_ms=at_ms, keys=[key], certain=certain)


def test_3_a_conflict_with_a_key_that_had_run_out(good: Snapshot) -> None:
    refusal, one, key = conflict(good)
    place = f"clone.requests/{one.place[0]}/{one.place[1]}"
    late = in_table(good, "refusals", changed(refusal, refused_at_ms=refusal.refused_at_ms + 100_000))
    # Whatever else the key met, it met before.
    assert place in broken(and_seen(late, aged(refusal.refused_at_ms + 50_000, key)))[3]


def test_a_key_may_run_out_after_its_conflicts_and_nothing_is_expected_where_nobody_knows(good: Snapshot) -> None:
    refusal, _, key = conflict(good)
    assert broken(and_seen(good, aged(refusal.refused_at_ms + 100_000, key))) == {}
    assert broken(and_seen(good, aged(refusal.refused_at_ms - 1, key, certain=False))) == {}


def test_3_two_requests_with_one_key_that_had_not_run_out_between(good: Snapshot) -> None:
    facts = Facts(good)
    org = good.tables.claims[0].org
    keyed = [
        one
        for one in facts.asked
        if one.org == org and one.idempotency_key is not None and facts.decisions(one) == ["accepted"]
    ]
    former, latter = sorted(keyed, key=lambda one: facts.claim_at[one.place][0].accepted_at_ms)[::2][:2]
    record = first(good.logs["clone.requests"].records, lambda r: (r.partition, r.offset) == latter.place)
    same_key = rewritten(record, idempotencyKey=former.idempotency_key)
    both = in_log(good, "clone.requests", changed(record, value=same_key))
    # It ran out when both had been accepted.
    at_ms = max(claim.accepted_at_ms for claim in good.tables.claims) + 10_000
    found = broken(and_seen(both, aged(at_ms, _key(former))))
    assert found == {3: [f"clone.requests/{latter.place[0]}/{latter.place[1]}"]}
