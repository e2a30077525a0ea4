"""The two things that a model is asked for, as JSON schema carries them. Pure.

The schema says types and names alone: providers differ in what else they take. Lengths are checked where texts are
checked, and what is too much is cut off before anything looks at it.
"""

import json
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, WithJsonSchema

from consumers.generation.analysis.signs_files import read

MAX_CHARACTERS: Final = 60_000
"""Of a model's text: far beyond any creative."""

THEMES: Final = tuple(read("themes"))
_Theme = Annotated[str, WithJsonSchema({"type": "string", "enum": list(THEMES)})]


class Asked(BaseModel):
    """What a model is to answer with."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Creative(Asked):
    """The words of one variation."""

    hook: str
    caption: str
    cta: str
    script: str
    shots: list[str]


class Topics(Asked):
    """What a post is about: single words of the post, and our own themes."""

    keywords: list[str]
    themes: list[_Theme]


AskedModel = TypeVar("AskedModel", bound=Asked)


def response_format(model: type[Asked]) -> dict[str, Any]:
    """The `response_format` that asks for this model and nothing else."""
    schema = _bare(model.model_json_schema())
    name = model.__name__.lower()
    return {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}}


def parsed(model: type[AskedModel], text: str) -> AskedModel | None:
    """The model's answer; None where it is anything else."""
    if len(text) > MAX_CHARACTERS:
        return None
    try:
        return model.model_validate(json.loads(text))
    except (ValidationError, ValueError, RecursionError):
        return None


def _bare(schema: Any) -> Any:
    """The schema without titles and descriptions, which are for us."""
    if isinstance(schema, list):
        return [_bare(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _bare(value) for key, value in schema.items() if key not in ("title", "description")}
