"""The canonical request, and the job id that is a function of it. Never change. Exactly: `vectors/README.md`.

Canonical form: JSON with sorted keys, no white space, unescaped UTF-8; ids as lower-case UUID text; `mode`,
`variations`, `projectLayerId` and `overrides` only where they differ from their defaults ("fork", 1, none, none).
"""

import hashlib
from json.encoder import encode_basestring as _quoted
from typing import Final, Literal, NamedTuple

from schemas.ids import ContainerId, JobId, LayerId, OrgId, ProjectId, format_number, known_text, number_8, uuid_8

Mode = Literal["fork", "reimagine"]
MODES: Final[tuple[Mode, ...]] = ("fork", "reimagine")
DEFAULT_MODE: Final[Mode] = "fork"
DEFAULT_VARIATIONS: Final = 1

_HASH_PREFIX: Final = b"clonepost/job/1\n"


class Overrides(NamedTuple):
    """Texts that replace the generated ones, byte for byte. An empty string is an override, None is none."""

    caption: str | None = None
    cta: str | None = None
    voice_over_script: str | None = None


NO_OVERRIDES: Final = Overrides()
_TEXTS: Final = ("caption", "cta", "voiceOverScript")


class CloneRequest(NamedTuple):
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
    return canonical_bytes_of(
        request, known_text(request.org_id), str(request.container_id), known_text(request.project_id)
    )


def canonical_bytes_of(request: CloneRequest, org_id: str, container_id: str, project_id: str) -> bytes:
    """The canonical form of a request whose ids are at hand as text: to make it again takes as long as the rest."""
    # Written out in the order of the sorted keys: the general encoder takes three times as long, for every request.
    mode = "" if request.mode == DEFAULT_MODE else f'"mode":"{request.mode}",'
    overrides = _overrides(request.overrides)
    layer = "" if request.project_layer_id is None else f'"projectLayerId":"{request.project_layer_id}",'
    variations = "" if request.variations == DEFAULT_VARIATIONS else f',"variations":{request.variations}'
    return (
        f'{{"containerId":"{container_id}",{mode}"orgId":"{org_id}",{overrides}'
        f'"projectId":"{project_id}",{layer}"sourcePlatformPostId":{_quoted(request.source)}{variations}}}'
    ).encode()


def _overrides(overrides: Overrides) -> str:
    if overrides == NO_OVERRIDES:
        return ""
    texts = [f'"{name}":{_quoted(text)}' for name, text in zip(_TEXTS, overrides, strict=True) if text is not None]
    return f'"overrides":{{{",".join(texts)}}},'


def job_id(request: CloneRequest) -> JobId:
    """The job that this request names, today and for ever."""
    return job_id_of_canonical(canonical_bytes(request))


def job_id_of_canonical(canonical: bytes) -> JobId:
    """The first 16 bytes of SHA-256(`clonepost/job/1` LF canonical), with the bits of UUID version 8 set."""
    return JobId(uuid_8(_hashed(canonical)))


def job_name_of_canonical(canonical: bytes) -> str:
    """The outside form of that job id."""
    return format_number("job", number_8(_hashed(canonical)))


def _hashed(canonical: bytes) -> int:
    return int.from_bytes(hashlib.sha256(_HASH_PREFIX + canonical).digest()[:16], "big")
