"""The canonical request, and the job id that is a function of it. Never change. Exactly: `vectors/README.md`.

Canonical form: JSON with sorted keys, no white space, unescaped UTF-8; ids as lower-case UUID text; `mode`,
`variations`, `projectLayerId` and `overrides` only where they differ from their defaults ("fork", 1, none, none).
"""

import hashlib
import json
import uuid
from dataclasses import dataclass
from typing import Final, Literal

from schemas.ids import ContainerId, JobId, LayerId, OrgId, ProjectId

Mode = Literal["fork", "reimagine"]
MODES: Final[tuple[Mode, ...]] = ("fork", "reimagine")
DEFAULT_MODE: Final[Mode] = "fork"
DEFAULT_VARIATIONS: Final = 1

_HASH_PREFIX: Final = b"clonepost/job/1\n"
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Overrides:
    """Texts that replace the generated ones, byte for byte. An empty string is an override, None is none."""

    caption: str | None = None
    cta: str | None = None
    voice_over_script: str | None = None


NO_OVERRIDES: Final = Overrides()


@dataclass(frozen=True, slots=True)
class CloneRequest:
    """A request whose shape is right. `source` is an internal post id as lower-case UUID text, or an external id."""

    org_id: OrgId
    container_id: ContainerId
    project_id: ProjectId
    source: str
    project_layer_id: LayerId | None = None
    mode: Mode = DEFAULT_MODE
    variations: int = DEFAULT_VARIATIONS
    overrides: Overrides = NO_OVERRIDES


def canonical_bytes(request: CloneRequest) -> bytes:
    """The canonical form, UTF-8."""
    fields: dict[str, object] = {
        "containerId": str(request.container_id),
        "orgId": str(request.org_id),
        "projectId": str(request.project_id),
        "sourcePlatformPostId": request.source,
    }
    if request.project_layer_id is not None:
        fields["projectLayerId"] = str(request.project_layer_id)
    if request.mode != DEFAULT_MODE:
        fields["mode"] = request.mode
    if request.variations != DEFAULT_VARIATIONS:
        fields["variations"] = request.variations
    if request.overrides != NO_OVERRIDES:
        overrides = request.overrides
        texts = {
            "caption": overrides.caption,
            "cta": overrides.cta,
            "voiceOverScript": overrides.voice_over_script,
        }
        fields["overrides"] = {name: text for name, text in texts.items() if text is not None}
    return _encode(fields).encode()


def job_id(request: CloneRequest) -> JobId:
    """The job that this request names, today and for ever."""
    return job_id_of_canonical(canonical_bytes(request))


def job_id_of_canonical(canonical: bytes) -> JobId:
    """The first 16 bytes of SHA-256(`clonepost/job/1` LF canonical), with the bits of UUID version 8 set."""
    digest = bytearray(hashlib.sha256(_HASH_PREFIX + canonical).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return JobId(uuid.UUID(bytes=bytes(digest)))
