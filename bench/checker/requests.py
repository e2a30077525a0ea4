"""What lies in clone.requests, judged by the contract's text alone: who asks for what, and is it poison, malformed?"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from bench.checker import identity
from bench.checker.avro import Undecodable, decode, name_of
from bench.checker.snapshot import LogRecord
from bench.checker.system import ADMISSIONS, REQUESTS, VARIATION_RESULTS

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_LIMITS: Final[Mapping[str, int]] = {"caption": 2_200, "cta": 120, "voiceOverScript": 5_000}
_LATEST_MS: Final = 253_402_300_799_999
_ALLOWED: Final[Mapping[str, frozenset[str]]] = {
    REQUESTS: frozenset({"CloneRequested", "CloneCancelRequested"}),
    ADMISSIONS: frozenset({"CloneAccepted", "CloneCanceled", "CloneRejected", "CancelRejected"}),
    VARIATION_RESULTS: frozenset({"VariationsFinished"}),
}
_PASSED_OVER: Final = frozenset({"CloneRejected", "CancelRejected"})


@dataclass(frozen=True, slots=True)
class Asked:
    """One record of clone.requests. `job` is None where the record is malformed; `org` where it names none."""

    place: tuple[int, int]
    kind: Literal["clone", "cancel", "poison"]
    org: str | None
    container: str
    job: str | None
    idempotency_key: str | None
    request_id: str | None


def asked(record: LogRecord) -> Asked:
    """Read one record of clone.requests."""
    place = (record.partition, record.offset)
    if poison_reason(REQUESTS, record) is not None:
        return Asked(place, "poison", None, "", None, None, record.header("ce_id"))
    name, fields = decode(record.value)
    org = _id("org", fields["orgId"])
    container = fields["containerId"].lower()
    if name == "CloneRequested":
        fine = _clone_is_well_formed(fields)
        job = identity.job_id(fields["orgId"], container, fields) if fine else None
        return Asked(place, "clone", org, container, job, fields["idempotencyKey"], record.header("ce_id"))
    job = _id("job", fields["jobId"]) if _cancel_is_well_formed(fields) else None
    return Asked(place, "cancel", org, container, job, None, record.header("ce_id"))


def poison_reason(topic: str, record: LogRecord) -> str | None:
    """Why the record can be addressed to nobody, or None. Topics that no stage reads hold no poison."""
    allowed = _ALLOWED.get(topic)
    if allowed is None or (topic == ADMISSIONS and name_of(record.value) in _PASSED_OVER):
        # The reader of admissions passes over refusals by their fingerprint; what is in them is for others.
        return None
    try:
        name, fields = decode(record.value)
    except Undecodable as error:
        return str(error)
    if name not in allowed:
        return f"{name} does not belong there"
    # What a request says of organisation and job may be answered with a refusal; behind it, ids are ours to get right.
    for field in ("containerId",) if topic == REQUESTS else ("jobId", "containerId", "orgId"):
        if field in fields and not _UUID.fullmatch(fields[field]):
            return f"{field} is no UUID"
    if topic == VARIATION_RESULTS:
        return None
    key = fields["containerId"].lower() if topic == REQUESTS else fields["containerId"]
    if record.key != key.encode():
        return "the key is not the container id"
    if any(key == "ce_type" and value != f"clonepost.events.{name}".encode() for key, value in record.headers):
        return "ce_type contradicts the record"
    return None


def _clone_is_well_formed(fields: Mapping[str, Any]) -> bool:
    overrides = fields["overrides"] or {}
    return (
        _id("org", fields["orgId"]) is not None
        and _id("proj", fields["projectId"]) is not None
        and (fields["projectLayerId"] is None or _id("lay", fields["projectLayerId"]) is not None)
        and _is_text(fields["sourcePlatformPostId"], least=1, most=128)
        and 1 <= fields["variations"] <= 10
        and all(text is None or _is_text(text, least=0, most=_LIMITS[name]) for name, text in overrides.items())
        and _is_text(fields["requestedBy"], least=1, most=200)
        and (fields["idempotencyKey"] is None or _is_text(fields["idempotencyKey"], least=1, most=255))
        and 0 <= fields["requestedAt"] <= _LATEST_MS
        and (fields["deadlineAt"] is None or 0 <= fields["deadlineAt"] <= _LATEST_MS)
    )


def _cancel_is_well_formed(fields: Mapping[str, Any]) -> bool:
    return (
        _id("org", fields["orgId"]) is not None
        and _id("job", fields["jobId"]) is not None
        and _is_text(fields["requestedBy"], least=0, most=200)
        and _is_text(fields["reason"] or "", least=0, most=500)
        and 0 <= fields["requestedAt"] <= _LATEST_MS
    )


def _is_text(text: str, *, least: int, most: int) -> bool:
    return least <= len(text) <= most and "\x00" not in text


def _id(prefix: str, text: str) -> str | None:
    try:
        return identity.bare(prefix, text)
    except ValueError:
        return None
