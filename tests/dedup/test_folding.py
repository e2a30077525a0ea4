"""A batch equals its records judged one by one, on real Postgres: any split, any redelivery, the same tables and bytes.

The record-by-record run reads its state from the tables each time; the batches fold theirs in memory. So the property
holds `decide`'s folding against what the database would have said.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.connection import Database
from tests.dedup.records import Read
from tests.dedup.small_world import CONTAINERS, Asked, SmallWorld, by_record, small_world, without_times
from tests.dedup.stage import Outputs, Stage

# Variations of 11 are malformed; few containers and keys, so that most requests meet an earlier one.
_asked: Final = st.builds(
    Asked,
    project=st.integers(0, 2),
    container=st.integers(0, len(CONTAINERS) - 1),
    variations=st.sampled_from([1, 1, 2, 4, 11]),
    key=st.sampled_from([None, None, "K", "L"]),
    canceled=st.sampled_from([False, False, True]),
    stranger=st.booleans(),
).filter(lambda asked: not (asked.canceled and asked.variations == 11))


@dataclass(frozen=True, slots=True)
class Run:
    """What a run left behind: outputs by offset, and tables, without the times."""

    outputs: list[list[tuple[str, int | None, dict[str, Any]]]]
    tables: dict[str, list[dict[str, Any]]]


class Bench:
    """Runs batches on the small world."""

    def __init__(self, stage: Stage, small: SmallWorld) -> None:
        self._stage = stage
        self._small = small
        self.projects = small.projects

    def run(self, records: list[Read], batches: list[tuple[int, int]]) -> Run:
        """Handle records[start:end] of each batch in a process of its own; starts over from empty tables."""
        self._small.empty()
        outputs: list[list[Any] | None] = [None] * len(records)
        firsts: dict[int, Outputs] = {}
        for start, end in batches:
            published = self._stage.redeliver(*records[start:end])
            for offset, found in zip(range(start, end), by_record(published, end - start), strict=True):
                if offset in firsts:
                    assert firsts[offset] == found, "redelivery gave other bytes"
                firsts[offset] = found
                outputs[offset] = without_times(found)
        assert None not in outputs
        return Run([found or [] for found in outputs], self._small.tables())


@pytest.fixture(scope="module")
def bench(postgres: str) -> Iterator[Bench]:
    with small_world(postgres) as (small, url), closing(Database(url, application_name="test-folding")) as database:
        yield Bench(Stage(database, small.world), small)


@st.composite
def _deliveries(draw: st.DrawFn) -> tuple[list[Asked], list[tuple[int, int]]]:
    """Requests, and batches that cover them in order; each may begin again before the end of the last."""
    asked = draw(st.lists(_asked, min_size=1, max_size=16))
    batches: list[tuple[int, int]] = []
    done = 0
    while done < len(asked):
        start = draw(st.integers(max(0, done - 4), done))
        done = draw(st.integers(done + 1, len(asked)))
        batches.append((start, done))
    return asked, batches


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(delivery=_deliveries())
def test_a_batch_equals_its_records_one_by_one(
    bench: Bench, delivery: tuple[list[Asked], list[tuple[int, int]]]
) -> None:
    asked, batches = delivery
    records = [one.record(bench.projects, offset) for offset, one in enumerate(asked)]
    one_by_one = bench.run(records, [(offset, offset + 1) for offset in range(len(records))])
    assert bench.run(records, batches) == one_by_one
    assert bench.run(records, [(0, len(records))]) == one_by_one


def test_the_small_world_reaches_every_verdict(bench: Bench) -> None:
    # A property over requests that are all accepted would prove nothing.
    plain = Asked(project=0, container=0, variations=1, key=None, canceled=False, stranger=False)

    def changed(**changes: Any) -> Asked:
        fields = {name: getattr(plain, name) for name in Asked.__dataclass_fields__}
        return Asked(**{**fields, **changes})

    asked = [
        changed(key="K"),
        plain,
        changed(variations=2),
        changed(container=1, key="K"),
        changed(variations=11),
        changed(canceled=True),
        changed(canceled=True, stranger=True),
        changed(canceled=True, container=2),
        changed(container=1, variations=2),
        changed(container=2, variations=2),
        changed(project=1, container=2),
        changed(project=1, container=3),
        changed(project=2, variations=4),
        changed(project=2, container=1, variations=4),
    ]
    records = [one.record(bench.projects, offset) for offset, one in enumerate(asked)]
    run = bench.run(records, [(0, len(records))])
    codes = [
        next((event.get("code", name) for name, _, event in out if name != "CloneReply"), "-") for out in run.outputs
    ]
    assert codes == [
        "CloneAccepted",
        "-",
        "CONFLICT",
        "IDEMPOTENCY_CONFLICT",
        "VALIDATION_FAILED",
        "CloneCanceled",
        "NOT_FOUND",
        "NOT_FOUND",
        "CloneAccepted",
        "CloneAccepted",
        "CONFLICT",
        "RATE_LIMITED",
        "CloneAccepted",
        "BILLING_EXHAUSTED",
    ]
