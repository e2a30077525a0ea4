"""Claims are fair to organisations and never meet."""

import uuid
from collections import Counter
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from consumers.generation.turns import from_reserve, last_served
from storage import variations
from storage.connection import Database
from storage.variations import Claimed
from tests.generation.test_transitions import claim, fan_out
from tests.generation.world import Job, Jobs

FIRST: Final = uuid.UUID(int=0)


def pending(database: Database, jobs: Jobs, *, organizations: int, jobs_each: int, variations: int) -> list[list[Job]]:
    made = []
    for _ in range(organizations):
        project = jobs.branded()
        made.append([jobs.accept(project, variations=variations) for _ in range(jobs_each)])
    for job in (job for one in made for job in one):
        fan_out(database, job, uuid.uuid4(), room=0)
    return made


def round_of(database: Database, after: uuid.UUID, slots: int) -> list[Claimed]:
    with database.transaction() as connection:
        return variations.claim(connection, slots=slots, worker_id=uuid.uuid4(), lease_seconds=30.0, after=after)


def test_one_slot_at_a_time_goes_round(database: Database, jobs: Jobs) -> None:
    flood, *others = pending(database, jobs, organizations=3, jobs_each=2, variations=10)
    after, served = FIRST, []
    for _ in range(9):
        claimed = round_of(database, after, 1)
        after = last_served(after, [one.org_id for one in claimed])
        served.append(after)
    assert Counter(served) == {one[0].org_id: 3 for one in (flood, *others)}
    assert all(served[i] != served[i + 1] for i in range(8))


def test_many_slots_are_shared(database: Database, jobs: Jobs) -> None:
    [flood] = pending(database, jobs, organizations=1, jobs_each=10, variations=10)
    [small] = pending(database, jobs, organizations=1, jobs_each=1, variations=3)
    claimed = Counter(one.org_id for one in round_of(database, FIRST, 8))
    assert claimed == {flood[0].org_id: 5, small[0].org_id: 3}


def test_two_processes_never_claim_the_same(database: Database, database_url: str, jobs: Jobs) -> None:
    pending(database, jobs, organizations=2, jobs_each=2, variations=5)
    other = Database(database_url, application_name="other")
    with database.transaction() as one, other.transaction() as two:
        arguments = {"slots": 5, "worker_id": uuid.uuid4(), "lease_seconds": 30.0, "after": FIRST}
        first = variations.claim(one, **arguments)  # type: ignore[arg-type]
        second = variations.claim(two, **arguments)  # type: ignore[arg-type]
    other.close()
    leases = [one.lease for one in (*first, *second)]
    assert len(first) == 5
    assert second
    assert len(set(leases)) == len(leases)


def test_everything_is_claimed_in_the_end(database: Database, jobs: Jobs) -> None:
    pending(database, jobs, organizations=3, jobs_each=2, variations=7)
    taken = 0
    while claimed := claim(database, uuid.uuid4(), slots=5):
        taken += len(claimed)
    assert taken == 42


@given(st.uuids(), st.dictionaries(st.uuids(), st.integers(1, 5), min_size=1, max_size=6))
def test_the_round_ends_at_an_organisation_with_the_most(after: uuid.UUID, counts: dict[uuid.UUID, int]) -> None:
    served = [org for org, count in counts.items() for _ in range(count)]
    last = last_served(after, served)
    most = {org for org, count in counts.items() if count == max(counts.values())}
    following = sorted(most, key=lambda org: (org <= after, org))
    assert last == following[-1]


@given(
    st.lists(st.tuples(st.sampled_from([uuid.UUID(int=n) for n in range(4)]), st.integers(1, 10)), max_size=20),
    st.dictionaries(st.sampled_from([uuid.UUID(int=n) for n in range(4)]), st.integers(0, 40)),
    st.integers(-5, 64),
    st.integers(0, 16),
)
def test_a_reserve_is_shared_and_not_passed(
    asked: list[tuple[uuid.UUID, int]], held: dict[uuid.UUID, int], reserve: int, share: int
) -> None:
    given_ = from_reserve(asked, held, reserve=reserve, share=share)
    assert sum(given_) <= max(0, reserve)
    assert all(0 <= one <= wanted for one, (_, wanted) in zip(given_, asked, strict=True))
    for org in {org for org, _ in asked}:
        own = sum(one for one, (other, _) in zip(given_, asked, strict=True) if other == org)
        most = min(sum(wanted for other, wanted in asked if other == org), max(0, share - held.get(org, 0)))
        assert own <= most
        if sum(given_) < reserve:
            assert own == most, "nothing was short"


def test_an_empty_round_moves_nothing() -> None:
    assert last_served(FIRST, []) == FIRST


def test_what_may_start_now_is_claimed_now(database: Database, jobs: Jobs) -> None:
    """Half of all times are rounded into the future when they are stored; a claim right behind must see them all."""
    job = jobs.accept(jobs.branded(), variations=1)
    fan_out(database, job, uuid.uuid4(), room=0)
    arguments = {"slots": 1, "worker_id": uuid.uuid4(), "lease_seconds": 30.0, "after": FIRST}
    for _ in range(300):
        with database.transaction() as connection:
            [(lease, _, _)] = variations.claim(connection, **arguments)  # type: ignore[arg-type]
            variations.put_back(connection, [(lease, 0.0)], retry=False)
