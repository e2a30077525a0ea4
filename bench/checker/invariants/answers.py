"""3: what a client was answered is what was decided: the same request the same bytes, a different one a conflict.

An answer is tied to its record by the request id (X-Request-Id is the record's ce_id).
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from bench.checker import identity
from bench.checker.facts import Facts
from bench.checker.history import Canceled, Posted
from bench.checker.invariants import keys
from bench.checker.report import Findings
from bench.checker.requests import Asked
from bench.checker.system import REQUESTS

STATUS: Final[Mapping[str, int]] = {
    "VALIDATION_FAILED": 422,
    "NOT_FOUND": 404,
    "CONFLICT": 409,
    "IDEMPOTENCY_CONFLICT": 409,
    "BILLING_EXHAUSTED": 402,
    "RATE_LIMITED": 429,
    "DEADLINE_EXCEEDED": 409,
}
_BEFORE_PUBLISHING: Final = frozenset({400, 401, 403, 413, 415, 422, 429, 503})
"""Answers that need no record: the request was not published, or nobody knows whether it was."""


def judge(facts: Facts, found: Findings) -> None:
    """Every answer, then every key."""
    for number, posted in enumerate(facts.snapshot.history.posted):
        _posted(facts, found, f"history posted {number} (job {posted.job})", posted)
    for number, canceled in enumerate(facts.snapshot.history.canceled):
        _canceled(facts, found, f"history canceled {number} (job {canceled.job})", canceled)
    _never_both(facts, found)
    keys.judge(facts, found)


def envelope_of_202(job: str, container: str) -> str:
    """The answer to an accepted request, a function of the request alone."""
    shown, location = identity.shown("job", job), f"/v1/jobs/{identity.shown('job', job)}"
    fields = {"jobId": shown, "kind": "content_clone_from_post", "status": "running"}
    fields |= {"containerId": identity.shown("cnt", container), "locationUrl": location}
    return json.dumps(fields, separators=(",", ":"))


def _posted(facts: Facts, found: Findings, where: str, posted: Posted) -> None:
    if posted.status is None:
        found.notes["POSTs without an answer"] += 1
        return
    found.notes[f"POSTs answered {posted.status}"] += 1
    one = _record(facts, posted.request_id)
    if posted.status == 202:
        wanted = envelope_of_202(posted.job, posted.container)
        found.expect(posted.body == wanted, where, f"202 with {posted.body!r}, must be {wanted!r}")
        location = f"/v1/jobs/{identity.shown('job', posted.job)}"
        found.expect(posted.location == location, where, f"Location is {posted.location}, must be {location}")
        if one is None:
            if facts.snapshot.logs[REQUESTS].whole:
                found.violate(where, f"202, and no record has its request id {posted.request_id}")
            return
        found.expect(one.job == posted.job, where, f"the record at {_place(one)} asks for {one.job}")
        _is_not_refused_in_time(facts, found, where, posted, one)
    elif one is None:
        fine = posted.status in _BEFORE_PUBLISHING
        found.expect(fine, where, f"{posted.status}, and no record has its request id {posted.request_id}")
    elif posted.status != 503:
        _is_the_refusal(facts, found, where, one, posted.status, posted.body)


def _is_not_refused_in_time(facts: Facts, found: Findings, where: str, posted: Posted, one: Asked) -> None:
    decisions = facts.decisions(one)
    decision = decisions[0] if decisions else "undecided"
    late = posted.ended_at - posted.started_at >= facts.snapshot.reply_wait_seconds
    if decision == "refused":
        # The verdict may be late, then the 202 was optimistic; before that time is up it may not.
        found.notes["202s whose refusal came too late for the answer"] += 1
        found.expect(
            late, where, f"202 at once, though {_place(one)} was refused {facts.refusal_at[one.place][0].code}"
        )
    elif posted.replayed:
        found.expect(decision == "replayed", where, f"Idempotent-Replayed, though {_place(one)} is {decision}")
    elif decision == "replayed":
        found.expect(late, where, f"a fresh 202 at once, though {_place(one)} is a replay")


def _is_the_refusal(facts: Facts, found: Findings, where: str, one: Asked, status: int, body: str) -> None:
    refusals = facts.refusal_at.get(one.place)
    if not found.expect(bool(refusals), where, f"{status}, though {_place(one)} is {facts.decisions(one)}"):
        return
    refusal = refusals[0] if refusals else None
    if refusal is None:
        return
    error = _error(body)
    wanted = {"code": refusal.code, "message": refusal.message}
    if refusal.details not in (None, "{}"):
        wanted["details"] = json.loads(refusal.details or "{}")
    has = {name: value for name, value in error.items() if name != "requestId"}
    found.expect(status == STATUS.get(refusal.code), where, f"{status} for {refusal.code}")
    found.expect(has == wanted, where, f"answered {has}, decided {wanted}")


def _canceled(facts: Facts, found: Findings, where: str, canceled: Canceled) -> None:
    if canceled.status is None:
        return
    found.notes[f"cancels answered {canceled.status}"] += 1
    one = _record(facts, canceled.request_id)
    if canceled.status == 202:
        if found.expect(one is not None, where, f"202, and no record has its request id {canceled.request_id}") and one:
            found.expect((one.kind, one.job) == ("cancel", canceled.job), where, f"the record is {_place(one)}")
            shown = {"jobId": identity.shown("job", canceled.job), "accepted": True}
            found.expect(_json(canceled.body) == shown, where, f"answered {canceled.body!r}")
    elif canceled.status == 200:
        refusals = facts.refusal_at.get(one.place) if one else None
        if found.expect(bool(refusals), where, "200, and no refusal of the cancel") and refusals:
            reason = json.loads(refusals[0].details or "{}").get("reason")
            shown = {"jobId": identity.shown("job", canceled.job), "accepted": False, "reason": reason}
            found.expect(_json(canceled.body) == shown, where, f"answered {canceled.body!r}, decided {reason}")
    elif one is not None and canceled.status != 503:
        _is_the_refusal(facts, found, where, one, canceled.status, canceled.body)


def _never_both(facts: Facts, found: Findings) -> None:
    """Of different requests for one container, at most one was ever told that it had won."""
    winners: dict[tuple[str, str], set[str]] = defaultdict(set)
    for posted in facts.snapshot.history.posted:
        if posted.status == 202:
            one = _record(facts, posted.request_id)
            if one is not None and not facts.refusal_at.get(one.place):
                winners[posted.org, posted.container].add(posted.job)
    for (org, container), jobs in winners.items():
        found.expect(len(jobs) == 1, f"history {org} {container}", f"accepted both {' and '.join(sorted(jobs))}")


def _record(facts: Facts, request_id: str | None) -> Asked | None:
    records = facts.asked_by_request.get(request_id or "", ())
    return records[0] if records else None


def _error(body: str) -> dict[str, Any]:
    parsed = _json(body)
    error = parsed.get("error") if isinstance(parsed, dict) else None
    return error if isinstance(error, dict) else {}


def _json(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _place(one: Asked) -> str:
    return f"{REQUESTS}/{one.place[0]}/{one.place[1]}"
