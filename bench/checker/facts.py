"""A snapshot, indexed: each table by what it is looked up by, and the verdict on each record of clone.requests."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Literal

from bench.checker.requests import Asked, asked
from bench.checker.snapshot import Cancellation, Claim, Job, LogRecord, Refusal, Snapshot, Variation
from bench.checker.system import DEAD_LETTERS, REQUESTS

Place = tuple[int, int]
Outcome = Literal["accepted", "replayed", "refused", "canceled", "dead-lettered"]


class Facts:
    """Everything is computed once, when it is first asked for."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._places: dict[str, frozenset[Place]] = {}

    @cached_property
    def requests_id(self) -> str:
        """The id of clone.requests; rows of an earlier topic of that name are not judged against this one."""
        return self.snapshot.logs[REQUESTS].topic_id

    @cached_property
    def asked(self) -> Sequence[Asked]:
        """Every record of clone.requests."""
        return [asked(record) for record in self.snapshot.logs[REQUESTS].records]

    @cached_property
    def asked_at(self) -> Mapping[Place, Asked]:
        """The records by place."""
        return {one.place: one for one in self.asked}

    @cached_property
    def asked_by_request(self) -> Mapping[str, list[Asked]]:
        """The records by ce_id."""
        found: dict[str, list[Asked]] = defaultdict(list)
        for one in self.asked:
            if one.request_id is not None:
                found[one.request_id].append(one)
        return found

    @cached_property
    def claim_of_job(self) -> Mapping[str, Claim]:
        """Claims by job."""
        return {claim.job: claim for claim in self.snapshot.tables.claims}

    @cached_property
    def claim_of_container(self) -> Mapping[tuple[str, str], Claim]:
        """Claims by organisation and container."""
        return {(claim.org, claim.container): claim for claim in self.snapshot.tables.claims}

    @cached_property
    def claim_at(self) -> Mapping[Place, list[Claim]]:
        """Claims by the place of the record that won."""
        found: dict[Place, list[Claim]] = defaultdict(list)
        for claim in self.snapshot.tables.claims:
            if claim.topic_id == self.requests_id:
                found[claim.partition, claim.offset].append(claim)
        return found

    @cached_property
    def refusal_at(self) -> Mapping[Place, list[Refusal]]:
        """Refusals by the place of the record."""
        found: dict[Place, list[Refusal]] = defaultdict(list)
        for refusal in self.snapshot.tables.refusals:
            if refusal.topic_id == self.requests_id:
                found[refusal.partition, refusal.offset].append(refusal)
        return found

    @cached_property
    def refusals_of_job(self) -> Mapping[tuple[str | None, str], list[Refusal]]:
        """Refused clone requests by organisation and job."""
        found: dict[tuple[str | None, str], list[Refusal]] = defaultdict(list)
        for refusal in self.snapshot.tables.refusals:
            if refusal.kind == "clone":
                found[refusal.org, refusal.job].append(refusal)
        return found

    @cached_property
    def cancellation_at(self) -> Mapping[Place, list[Cancellation]]:
        """Accepted cancels by the place of the record."""
        found: dict[Place, list[Cancellation]] = defaultdict(list)
        for cancellation in self.snapshot.tables.cancellations:
            if cancellation.topic_id == self.requests_id:
                found[cancellation.partition, cancellation.offset].append(cancellation)
        return found

    @cached_property
    def canceled_jobs(self) -> frozenset[str]:
        """Jobs with an accepted cancel."""
        return frozenset(cancellation.job for cancellation in self.snapshot.tables.cancellations)

    @cached_property
    def job(self) -> Mapping[str, Job]:
        """Rows of jobs by id."""
        return {job.job: job for job in self.snapshot.tables.jobs}

    @cached_property
    def variations(self) -> Mapping[str, list[Variation]]:
        """Variations by job, in the order of their indexes."""
        found: dict[str, list[Variation]] = defaultdict(list)
        for row in self.snapshot.tables.variations:
            found[row.job].append(row)
        for rows in found.values():
            rows.sort(key=lambda row: row.index)
        return found

    @cached_property
    def letters(self) -> Mapping[tuple[str, int, int], list[LogRecord]]:
        """Dead letters by the place of their source: full topic name, partition, offset."""
        found: dict[tuple[str, int, int], list[LogRecord]] = defaultdict(list)
        for letter in self.snapshot.logs[DEAD_LETTERS].records:
            partition, offset = letter.header("dlq_partition") or "", letter.header("dlq_offset") or ""
            if partition.isdigit() and offset.isdigit():
                found[letter.header("dlq_topic") or "", int(partition), int(offset)].append(letter)
            else:
                found["", -1, -1].append(letter)
        return found

    def places(self, name: str) -> frozenset[Place]:
        """Where a topic has records."""
        if name not in self._places:
            self._places[name] = frozenset((r.partition, r.offset) for r in self.snapshot.logs[name].records)
        return self._places[name]

    def decisions(self, one: Asked) -> list[Outcome]:
        """Every decision that stands for this record; there should be exactly one."""
        found: list[Outcome] = ["accepted"] * len(self.claim_at.get(one.place, ()))
        found += ["refused"] * len(self.refusal_at.get(one.place, ()))
        found += ["canceled"] * len(self.cancellation_at.get(one.place, ()))
        if self.lettered(one.place):
            found.append("dead-lettered")
        if not found and self._is_replay(one):
            found.append("replayed")
        return found

    def lettered(self, place: Place) -> bool:
        """Whether the record of clone.requests at this place is in the dead letters."""
        return (self.snapshot.prefixed(REQUESTS), *place) in self.letters

    def _is_replay(self, one: Asked) -> bool:
        if one.org is None or one.job is None:
            return False
        if one.kind == "clone":
            claim = self.claim_of_container.get((one.org, one.container))
            return claim is not None and claim.job == one.job
        claim = self.claim_of_job.get(one.job)
        # A repeated cancel of a running job is answered like the first, and leaves no row of its own.
        return claim is not None and claim.org == one.org and one.job in self.canceled_jobs
