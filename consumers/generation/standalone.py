"""A job without services: what the generator is given for a source and a brand that stand in no table. Pure."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from consumers.generation.composed import ComposedGenerator
from consumers.generation.writing.embedded import EmbeddedRealiser
from storage.material import Material

_NOBODY = uuid.UUID(int=0)


def standalone(
    source: dict[str, Any],
    brand: dict[str, Any],
    *,
    mode: str,
    variations: int,
    ordinal: int = 0,
    language: str = "en",
    layer_format: str = "video",
    overrides: Mapping[str, str] | None = None,
) -> Material:
    """The material of such a job. The same source, brand and options are the same job, so they give the same copy.

    Neither the number of variations nor overrides are part of that: a larger set begins with the smaller one.
    """
    request = json.dumps([source, brand, mode, layer_format, language, ordinal], sort_keys=True)
    return Material(
        job_id=uuid.uuid5(_NOBODY, request),
        container_id=_NOBODY,
        org_id=_NOBODY,
        project_id=_NOBODY,
        traceparent=None,
        mode=mode,
        variations=variations,
        overrides=dict(overrides or {}),
        ordinal=ordinal,
        brand=brand,
        layer_format=layer_format,
        platform=None,
        language=language,
        source=source,
    )


def embedded() -> ComposedGenerator:
    """The embedded generator by itself, knowing nothing of earlier jobs."""
    return ComposedGenerator(EmbeddedRealiser(), waits=False, lease_ahead=None)
