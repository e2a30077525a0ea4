"""The plan of a load is a function of its seed, and has every kind of request in it."""

from collections import Counter

from bench.checker import identity
from bench.checker.requests import poison_reason
from bench.checker.snapshot import LogRecord
from bench.load import Cancel, Clone, Poison, make_tenants, plan
from bench.load.plan import WEIGHTS

TENANTS = make_tenants(seed=3)


def test_the_same_seed_plans_the_same_and_another_one_does_not() -> None:
    assert plan(TENANTS, seed=3, operations=500) == plan(make_tenants(seed=3), seed=3, operations=500)
    assert plan(TENANTS, seed=4, operations=500) != plan(TENANTS, seed=3, operations=500)


def test_every_kind_is_in_a_plan_over_both_ways() -> None:
    operations = plan(TENANTS, seed=3, operations=500)
    kinds = Counter(
        (operation.kind, operation.via) if isinstance(operation, Clone) else type(operation).__name__
        for operation in operations
    )
    clones = set(WEIGHTS) - {"cancel", "poison"}
    assert {(kind, via) for kind in clones for via in ("http", "kafka")} | {"Cancel", "Poison"} == set(kinds)


def test_duplicates_name_the_same_job_in_other_words_and_conflicts_another() -> None:
    operations = [o for o in plan(TENANTS, seed=3, operations=500) if isinstance(o, Clone)]
    originals = {(o.org, o.container): o for o in operations if o.kind == "new"}
    for operation in operations:
        original = originals.get((operation.org, operation.container))
        if operation.kind == "duplicate" and original is not None:
            assert identity.job_id(operation.org, operation.container, operation.fields) == original.job
        elif operation.kind == "conflicting" and original is not None:
            assert operation.job != original.job


def test_cancels_name_jobs_of_the_plan_and_poison_is_poison() -> None:
    operations = plan(TENANTS, seed=3, operations=500)
    jobs = {operation.job for operation in operations if isinstance(operation, Clone)}
    assert {operation.job for operation in operations if isinstance(operation, Cancel)} <= jobs
    for operation in operations:
        if isinstance(operation, Poison):
            assert poison_reason(operation.topic, LogRecord(0, 0, operation.key, operation.value)) is not None
