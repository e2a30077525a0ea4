"""`clonepost preview`: a source and a brand in, creatives side by side out; no services."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic import ValidationError
from rich.columns import Columns
from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text

from clonepost.commands.options import JsonOption, print_json
from consumers.generation.composed import ComposedGenerator
from consumers.generation.generators import GenerationFailed, Made, Order
from consumers.generation.standalone import embedded, standalone
from runtime.errors import ClonepostError
from schemas.reference import Brand, Segment, Shot
from storage.material import Material

_WIDTH = 52


def preview(
    source: Annotated[
        Path, typer.Argument(help="A source post: caption, transcript, shots, durationMs; all optional.")
    ],
    brand: Annotated[Path, typer.Option("--brand", help="A brand, as in a project of the reference data.")],
    mode: Annotated[Literal["fork", "reimagine"], typer.Option("--mode")] = "fork",
    variations: Annotated[int, typer.Option("--variations", min=1, max=10)] = 1,
    layer_format: Annotated[Literal["video", "slideshow"], typer.Option("--format", help="The layer's.")] = "video",
    language: Annotated[str, typer.Option("--language", help="The layer's.")] = "en",
    ordinal: Annotated[int, typer.Option("--ordinal", min=0, help="How many jobs the project had before.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Show what the embedded generator makes of a source for a brand.

    Example:  clonepost preview source.json --brand brand.json --mode reimagine --variations 3
    """
    material = standalone(
        _source(source),
        _brand(brand),
        mode=mode,
        variations=variations,
        ordinal=ordinal,
        language=language,
        layer_format=layer_format,
    )
    generator = embedded()
    made = [_make(generator, material, index) for index in range(variations)]
    if as_json:
        print_json([_document(one) for one in made])
    else:
        Console().print(Columns([_panel(index, one) for index, one in enumerate(made)], width=_WIDTH, equal=False))


def _make(generator: ComposedGenerator, material: Material, index: int) -> Made | GenerationFailed:
    try:
        return generator.generate(Order(str(material.job_id), index, 1, material), lambda step: None)
    except GenerationFailed as failure:
        return failure


def _document(made: Made | GenerationFailed) -> dict[str, Any]:
    if isinstance(made, GenerationFailed):
        return {"error": {"code": made.code, "message": str(made)}}
    return {
        **made.creative,
        "hookShape": made.hook_shape,
        "visualFormat": made.visual_format,
        "durationMs": made.duration_ms,
        "provenance": made.provenance,
    }


def _panel(index: int, made: Made | GenerationFailed) -> Panel:
    if isinstance(made, GenerationFailed):
        return Panel(Text(f"{made.code}\n{made}"), title=f"variation {index}", width=_WIDTH)
    creative = made.creative
    parts = [
        Text(creative["hook"], style="bold"),
        Text(f"\n{creative['voiceOverScript']}\n"),
        Text(creative["caption"], style="italic"),
        Text(f"→ {creative['cta']}\n"),
        *(Text(f"{shot['startMs'] / 1000:5.1f} s  {shot['description']}", style="dim") for shot in creative["shots"]),
    ]
    title = f"{index}: {made.hook_shape}, {made.visual_format}, {made.duration_ms / 1000:.1f} s"
    return Panel(Group(*parts), title=title, width=_WIDTH)


def _source(path: Path) -> dict[str, Any]:
    found = _read(path)
    for key, model in (("transcript", Segment), ("shots", Shot)):
        for item in found.get(key) or ():
            _valid(model, item, f"the source's {key}")
    return found


def _brand(path: Path) -> dict[str, Any]:
    found = _read(path)
    # A whole project line is as good as its brand.
    brand = found["brand"] if isinstance(found.get("brand"), dict) else found
    _valid(Brand, brand, "the brand")
    return brand


def _valid(model: type[Brand] | type[Segment] | type[Shot], value: object, what: str) -> None:
    try:
        model.model_validate(value)
    except ValidationError as error:
        problem = error.errors(include_input=False)[0]
        place = ".".join(map(str, problem["loc"]))
        raise ClonepostError(f"{what} has a mistake at {place or 'its root'}: {problem['msg']}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ClonepostError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ClonepostError(f"{path} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise ClonepostError(f"{path} must hold one JSON object")
    return found
