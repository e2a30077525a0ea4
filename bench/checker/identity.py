"""Ids by the contract's text alone (`schemas/vectors/identity.json` holds the examples), not by the pipeline's code."""

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from typing import Any, Final

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_ULID: Final = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", re.IGNORECASE)
_DEFAULTS: Final[Mapping[str, Any]] = {"mode": "fork", "variations": 1, "projectLayerId": None, "overrides": None}


def canonical(org: str, container: str, fields: Mapping[str, Any]) -> str:
    """The canonical form of a well-formed request: `fields` as a body or a record has them, ids in any form."""
    said: dict[str, Any] = {
        "orgId": bare("org", org),
        "containerId": bare("cnt", container),
        "projectId": bare("proj", fields["projectId"]),
        "sourcePlatformPostId": _source(fields["sourcePlatformPostId"]),
    }
    if fields.get("projectLayerId") is not None:
        said["projectLayerId"] = bare("lay", fields["projectLayerId"])
    for name in ("mode", "variations"):
        if fields.get(name) not in (None, _DEFAULTS[name]):
            said[name] = fields[name]
    texts = {name: text for name, text in (fields.get("overrides") or {}).items() if text is not None}
    if texts:
        said["overrides"] = texts
    return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def job_id(org: str, container: str, fields: Mapping[str, Any]) -> str:
    """The job that the request names, as UUID text."""
    digest = hashlib.sha256(f"clonepost/job/1\n{canonical(org, container, fields)}".encode()).digest()
    number = int.from_bytes(digest[:16], "big")
    number = number & ~(0xF << 76) | 8 << 76
    number = number & ~(0x3 << 62) | 2 << 62
    return str(uuid.UUID(int=number))


def bare(prefix: str, text: str) -> str:
    """The lower-case UUID text of an id in any of its forms. Raises ValueError for what is none."""
    head, _, rest = text.partition("_")
    if rest and head.lower() == prefix:
        if _ULID.fullmatch(rest):
            number = 0
            for character in rest.upper():
                number = number * 32 + _CROCKFORD.index(character)
            return str(uuid.UUID(int=number))
        text = rest
    if not _UUID.fullmatch(text):
        raise ValueError(f"{text!r} is no {prefix} id")
    return text.lower()


def shown(prefix: str, text: str) -> str:
    """The outside form of a UUID text: the prefix and 26 characters."""
    number = uuid.UUID(text).int
    return prefix + "_" + "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def variation_id(job: str, index: int) -> str:
    """The id of a variation."""
    return str(uuid.uuid5(uuid.UUID(job), f"variation/{index}"))


def job_event_id(job: str, name: str) -> str:
    """The id of the one event of that name that a job can have."""
    return str(uuid.uuid5(uuid.UUID(job), name))


def record_event_id(topic_id: str, partition: int, offset: int, name: str) -> str:
    """The id of the event that answers one record of clone.requests."""
    return str(uuid.uuid5(uuid.UUID(topic_id), f"{partition}/{offset}/{name}"))


def _source(text: str) -> str:
    try:
        return bare("pp", text)
    except ValueError:
        return text
