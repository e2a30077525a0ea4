"""Two dedup processes whose steps interleave as a seed says: what they leave is what one would have left that handled
the same batches in the order of their commits.

They share partitions, as a zombie and its successor do, and die at any step; a batch that was not done with is handled
again. Only the database stands between them: what each has read may be stale by the time it writes.
"""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from storage.connection import Database
from tests.dedup.records import Read
from tests.dedup.small_world import CONTAINERS, Asked, SmallWorld, by_record, small_world, without_times
from tests.dedup.stage import Outputs, Stage
from tests.dedup.stepping import COMMIT, DECIDE, Died, Member, stepping

_PARTITIONS: Final = 2
_RECORDS: Final = 7
"""Of each partition."""
_DEATHS: Final = 0.08


@dataclass(frozen=True, slots=True)
class Delivery:
    """Records of one partition that are handled as one batch."""

    partition: int
    start: int
    end: int


@dataclass(slots=True)
class Interleaving:
    """One run of both members over all deliveries, a step at a time."""

    chance: random.Random
    members: list[Member]
    records: list[list[Read]]
    waiting: list[Delivery]
    commits: list[Delivery] = field(default_factory=list)
    outputs: dict[tuple[int, int], Outputs] = field(default_factory=dict)
    met: Counter[str] = field(default_factory=Counter)
    _busy: dict[int, Delivery] = field(default_factory=dict)

    def run(self) -> None:
        """Go on until every delivery is handled."""
        while self.waiting or self._busy:
            choices = [number for number, member in enumerate(self.members) if self._can_move(number, member)]
            # None: who has waited for a lock until now is on its way.
            if choices:
                self._move(self.chance.choice(choices))
            for member in self.members:
                member.settle()
            self.met["waits for a lock"] += sum(member.at is None for member in self._working())
            for number in list(self._busy):
                self._take_in(number)

    def _can_move(self, number: int, member: Member) -> bool:
        return member.at is not None if number in self._busy else bool(self._startable())

    def _startable(self) -> list[Delivery]:
        """A partition's records are read in order: up to where somebody has committed them."""
        return [d for d in self.waiting if d.start <= max((c.end for c in self._of(d.partition)), default=0)]

    def _of(self, partition: int) -> list[Delivery]:
        return [delivery for delivery in self.commits if delivery.partition == partition]

    def _working(self) -> list[Member]:
        return [self.members[number] for number in self._busy]

    def _move(self, number: int) -> None:
        member = self.members[number]
        if number not in self._busy:
            delivery = self.chance.choice(self._startable())
            self.waiting.remove(delivery)
            self._busy[number] = delivery
            member.start(self.records[delivery.partition][delivery.start : delivery.end])
            return
        die = self.chance.random() < _DEATHS
        self.met["dies"] += die
        self.met["both have read"] += all(other.at in (DECIDE, COMMIT) for other in self.members)
        if member.at == COMMIT and not die:
            # Before anybody else moves: whoever waits for it stops at a step before its own commit.
            self.commits.append(self._busy[number])
        member.go_on(die=die)

    def _take_in(self, number: int) -> None:
        handling, delivery = self.members[number].handling, self._busy[number]
        if handling is None or not handling.done():
            return
        del self._busy[number]
        try:
            outputs = handling.result()
        except Died:
            self.waiting.append(delivery)
            return
        for offset, found in enumerate(by_record(outputs, delivery.end - delivery.start), delivery.start):
            assert self.outputs.setdefault((delivery.partition, offset), found) == found, "redelivery gave other bytes"


@pytest.fixture(scope="module")
def small(postgres: str) -> Iterator[tuple[SmallWorld, str]]:
    with small_world(postgres) as small:
        yield small


def asked(chance: random.Random) -> Asked:
    canceled = chance.random() < 0.25
    return Asked(
        project=chance.randrange(3),
        container=chance.randrange(len(CONTAINERS)),
        variations=chance.choice([1, 1, 2, 4] if canceled else [1, 1, 2, 4, 11]),
        key=chance.choice([None, None, "K", "L"]),
        canceled=canceled,
        stranger=chance.random() < 0.3,
        nobody=chance.random() < 0.15,
    )


def deliveries(chance: random.Random, partition: int) -> list[Delivery]:
    """Batches that cover the partition, and some that a zombie handles too."""
    found: list[Delivery] = []
    done = 0
    while done < _RECORDS:
        start, done = max(0, done - chance.choice([0, 0, 2])), min(_RECORDS, done + chance.randint(1, 4))
        found += [Delivery(partition, start, done)] * chance.choice([1, 1, 2])
    return found


def alone(small: SmallWorld, database: Database, run: Interleaving) -> tuple[dict[str, Any], dict[Any, Any]]:
    """The tables and outputs that one process leaves, given the same batches in the order of their commits."""
    small.empty()
    stage = Stage(database, small.world)
    told: dict[Any, Any] = {}
    for one in run.commits:
        outputs = stage.redeliver(*run.records[one.partition][one.start : one.end])
        for offset, found in enumerate(by_record(outputs, one.end - one.start), one.start):
            told[one.partition, offset] = without_times(found)
    return small.tables(), told


def test_two_at_once_leave_what_one_would(small: tuple[SmallWorld, str], monkeypatch: pytest.MonkeyPatch) -> None:
    world, url = small
    met: Counter[str] = Counter()
    with ExitStack() as stack:
        database = stack.enter_context(closing(Database(url, application_name="test-alone")))
        members = [stack.enter_context(closing(Member(url, number, world.world))) for number in range(2)]
        for seed in range(14):
            chance = random.Random(seed)
            world.empty()
            records = [
                [asked(chance).record(world.projects, offset, partition) for offset in range(_RECORDS)]
                for partition in range(_PARTITIONS)
            ]
            waiting = [delivery for partition in range(_PARTITIONS) for delivery in deliveries(chance, partition)]
            run = Interleaving(chance, members, records, waiting)
            with monkeypatch.context() as patched:
                patched.setattr("consumers.dedup.consumer.decide", stepping)
                run.run()
            left = world.tables(), {place: without_times(found) for place, found in run.outputs.items()}
            assert left == alone(world, database, run), f"seed {seed}"
            met += run.met
    # Two that never met would prove nothing.
    assert met["waits for a lock"] > 50
    assert met["both have read"] > 5
    assert met["dies"] > 20
