"""When several rules refuse a request, the first of the order decides. Every combination, without a database."""

import itertools
import uuid
from typing import Final

import pytest

from consumers.dedup.decide import Accepted, Refused, Replayed, decide
from consumers.dedup.intake import CloneQuestion, read_record
from storage.admission import AdmissionState, Layer, SourcePost, Wallet, Writes
from tests.dedup.records import Read, clone
from tests.dedup.stage import TOPIC_ID
from tests.dedup.world import VIDEO_PRICE, Project

NOW_MS: Final = 1_760_000_100_000
PROJECT: Final = Project(*(uuid.UUID(int=n) for n in (1, 2, 3, 4)))
CONTAINER: Final = uuid.UUID(int=5)
# In the order of the rules: what is wrong, and the answer. The first two need a request of before.
RULES: Final = {
    "key of another request": "IDEMPOTENCY_CONFLICT",
    "container of another request": "CONFLICT",
    "deadline has passed": "DEADLINE_EXCEEDED",
    "no organisation": "NOT_FOUND: Organization not found.",
    "no project": "NOT_FOUND: Project not found.",
    "no source": "NOT_FOUND: Source post not found.",
    "no layer": "CONFLICT: Project has no active content layers.",
    "too many jobs": "RATE_LIMITED",
    "no credits": "BILLING_EXHAUSTED",
}


def question(record: Read, offset: int) -> CloneQuestion:
    asked = read_record(record.at(0, offset))
    assert isinstance(asked, CloneQuestion)
    return asked


def healthy() -> AdmissionState:
    state = AdmissionState(TOPIC_ID, NOW_MS)
    state.wallets[PROJECT.org_id] = Wallet(100 * VIDEO_PRICE, 0, 10)
    state.layers[PROJECT.org_id, PROJECT.project_id] = [Layer(PROJECT.layer_id, active=True, format="video")]
    state.internal_posts[PROJECT.org_id, PROJECT.post_id] = SourcePost(PROJECT.post_id, None, "tiktok", "x")
    return state


def broken(faults: frozenset[str]) -> tuple[CloneQuestion, AdmissionState]:
    """A request and a state in which all of these are wrong."""
    state = healthy()
    if "key of another request" in faults:
        decide([question(clone(PROJECT, idempotencyKey="K"), 0)], state)
    if "container of another request" in faults:
        decide([question(clone(PROJECT, CONTAINER, variations=2), 1)], state)
    wallet = state.wallets[PROJECT.org_id]
    if "too many jobs" in faults:
        wallet.max_running_jobs = wallet.running_jobs
    if "no credits" in faults:
        wallet.available = VIDEO_PRICE - 1
    if "no organisation" in faults:
        del state.wallets[PROJECT.org_id]
    if "no project" in faults:
        del state.layers[PROJECT.org_id, PROJECT.project_id]
    elif "no layer" in faults:
        state.layers[PROJECT.org_id, PROJECT.project_id] = []
    if "no source" in faults:
        state.internal_posts.clear()
    deadline = NOW_MS - 1 if "deadline has passed" in faults else None
    return question(clone(PROJECT, CONTAINER, idempotencyKey="K", deadlineAt=deadline), 2), state


@pytest.mark.parametrize("first", RULES)
def test_the_first_rule_that_refuses_decides(first: str) -> None:
    later = list(RULES)[list(RULES).index(first) + 1 :]
    for number in range(len(later) + 1):
        for others in itertools.combinations(later, number):
            asked, state = broken(frozenset({first, *others}))
            [verdict], writes = decide([asked], state)
            assert isinstance(verdict, Refused)
            refusal = verdict.refusal
            assert f"{refusal.code}: {refusal.message}".startswith(RULES[first]), others
            # A refusal claims nothing.
            assert writes == Writes(refusals=[refusal])


def test_the_shape_comes_before_every_rule() -> None:
    _, state = broken(frozenset(RULES))
    [verdict], _ = decide([question(clone(PROJECT, CONTAINER, variations=11), 2)], state)
    assert isinstance(verdict, Refused)
    assert verdict.refusal.code == "VALIDATION_FAILED"


def test_a_replay_survives_every_later_rule() -> None:
    later = [fault for fault in RULES if not fault.endswith("of another request")]
    for number in range(len(later) + 1):
        for faults in itertools.combinations(later, number):
            asked, state = broken(frozenset(faults))
            decide([accepted := question(clone(PROJECT, CONTAINER), 0)], now := healthy())
            state.claims = now.claims
            [verdict], writes = decide([asked], state)
            assert verdict == Replayed(accepted.job_id), faults
            # Its key stands for it from now on.
            assert writes == Writes(idempotency_keys=[(PROJECT.org_id, "K", accepted.job_id)])


def test_what_was_decided_is_not_judged_again() -> None:
    for number in range(len(RULES) + 1):
        for faults in itertools.combinations(RULES, number):
            asked, state = broken(frozenset(faults))
            before, _ = decide([asked], state)
            now = healthy()
            now.claims, now.refusals = state.claims, state.refusals
            after, writes = decide([asked], now)
            assert after == before, faults
            assert isinstance(after[0], Refused if faults else Accepted)
            assert writes == Writes()
            assert now.wallets == healthy().wallets
