"""2: of the requests for one container of an organisation, the lowest offset that was accepted wins, none after it.

A refusal claims nothing, so every record below the winner must have been refused. After it, the same request is a
replay and every other one a conflict. Order holds within a partition; in another one (the topic has grown) only "no
second winner" does. A project's winners are numbered 0, 1, 2, ...: a number that is given twice or left out is one that
was read while another process was giving it.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, Final

from bench.checker.avro import decode
from bench.checker.facts import Facts
from bench.checker.report import Findings
from bench.checker.requests import Asked
from bench.checker.snapshot import Claim, LogRecord
from bench.checker.system import REQUESTS

PRICES: Final = {"video": 120, "slideshow": 50}
_LIFETIME_MS: Final = 3_600_000
_CONFLICTS: Final = frozenset({"CONFLICT", "IDEMPOTENCY_CONFLICT"})


def judge(facts: Facts, found: Findings) -> None:
    """One winner, and what became of the others."""
    claims = facts.snapshot.tables.claims
    for (org, container), count in Counter((claim.org, claim.container) for claim in claims).items():
        found.expect(count == 1, f"claims {org} {container}", f"{count} requests won")
    for job, count in Counter(claim.job for claim in claims).items():
        found.expect(count == 1, f"claims {job}", f"{count} claims name this job")
    _are_numbered(found, claims)
    records = {(record.partition, record.offset): record for record in facts.snapshot.logs[REQUESTS].records}
    for claim in claims:
        record = records.get((claim.partition, claim.offset))
        if claim.topic_id == facts.requests_id and record is not None:
            _is_what_won(facts, found, claim, record)
    for one in facts.asked:
        if one.kind == "clone":
            _is_no_second_winner(facts, found, one)


def _are_numbered(found: Findings, claims: Sequence[Claim]) -> None:
    of_project: dict[tuple[str, str], list[int]] = defaultdict(list)
    for claim in claims:
        of_project[claim.org, claim.project].append(claim.ordinal)
    for (_, project), numbers in of_project.items():
        twice = sorted(number for number, count in Counter(numbers).items() if count > 1)
        left_out = sorted(set(range(max(numbers) + 1)) - set(numbers))
        found.expect(not twice, f"project {project}", f"{len(twice)} numbers are several jobs': {twice[:5]}")
        found.expect(not left_out, f"project {project}", f"{len(left_out)} numbers are nobody's: {left_out[:5]}")


def _is_what_won(facts: Facts, found: Findings, claim: Claim, record: LogRecord) -> None:
    one = facts.asked_at[record.partition, record.offset]
    where = f"claims {claim.job}"
    same = one.kind == "clone" and (one.org, one.container, one.job) == (claim.org, claim.container, claim.job)
    if not found.expect(same, where, f"the record at {_place(one)} asks for {one.org} {one.container} {one.job}"):
        return
    _, fields = decode(record.value)
    latest: Any = claim.accepted_at_ms + _LIFETIME_MS
    deadline = latest if fields["deadlineAt"] is None else min(fields["deadlineAt"], latest)
    for name, has, wanted in (
        ("mode", claim.mode, fields["mode"]),
        ("variations", claim.variations, fields["variations"]),
        ("requested_by", claim.requested_by, fields["requestedBy"]),
        ("requested_at", claim.requested_at_ms, fields["requestedAt"]),
        ("deadline_at", claim.deadline_at_ms, deadline),
        ("variation_price", claim.price, PRICES.get(claim.layer_format)),
    ):
        found.expect(has == wanted, where, f"{name} is {has}, the record at {_place(one)} makes it {wanted}")


def _is_no_second_winner(facts: Facts, found: Findings, one: Asked) -> None:
    claim = facts.claim_of_container.get((one.org or "", one.container))
    decisions = facts.decisions(one)
    if claim is None or not decisions:
        return
    decision, where = decisions[0], _place(one)
    refusals = facts.refusal_at.get(one.place)
    code = refusals[0].code if refusals else None
    here = claim.topic_id == facts.requests_id and claim.partition == one.place[0]
    if here and one.place[1] == claim.offset:
        found.expect(decision == "accepted", where, f"won {claim.job} and is {decision}")
    elif here and one.place[1] < claim.offset:
        found.expect(
            decision == "refused", where, f"lies before the winner of {claim.job} at {claim.offset} and is {decision}"
        )
    elif one.job is None:
        found.expect(decision == "refused", where, f"is malformed and {decision}")
    elif one.job == claim.job:
        fine = decision == "replayed" or code == "IDEMPOTENCY_CONFLICT" or (not here and decision == "refused")
        found.expect(fine, where, f"asks again for {claim.job} and is {decision} {code or ''}")
    else:
        fine = decision == "refused" and (code in _CONFLICTS or not here)
        found.expect(fine, where, f"asks for {one.job} where {claim.job} had won, and is {decision} {code or ''}")


def _place(one: Asked) -> str:
    return f"{REQUESTS}/{one.place[0]}/{one.place[1]}"
