"""Generation in steps: analyse, plan, realise, gate, then the overrides, byte for byte."""

from collections.abc import Mapping
from typing import Any, Final

from consumers.generation.analyse import analyse
from consumers.generation.gate import failed_bar, usable_brand
from consumers.generation.generators import GenerationFailed, Made, Order, ReportStep
from consumers.generation.plan import VariationBrief, plan
from consumers.generation.realise import Realiser, Texts
from schemas.errors import ErrorCode
from storage.material import Material

_TRIES: Final = 3


class ComposedGenerator:
    """Makes a creative from the source's structure and the brand's facts, with whatever realiser writes the words."""

    def __init__(self, realiser: Realiser, *, waits: bool, lease_ahead: int | None) -> None:
        self._realiser = realiser
        self.name = realiser.name
        self.waits = waits
        self.lease_ahead = lease_ahead
        self.needs_material = True

    def generate(self, order: Order, report: ReportStep) -> Made:
        """One creative. Raises GenerationFailed QUALITY_GATE with the bar's name when three tries miss a bar."""
        material = order.material
        if material is None:
            raise AssertionError("this generator asks for material")
        report("analyzing_source")
        blueprint = analyse(material.source)
        report("generating")
        brief = plan(
            blueprint,
            mode=material.mode,
            job_id=order.job_id,
            index=order.index,
            # Not order.attempt: a crash between two attempts must not change what a request gives.
            attempt=1,
            ordinal=material.ordinal,
            layer_format=material.layer_format,
        )
        texts, tries = self._realise(brief, material)
        return _made(brief, texts, material, tries)

    def _realise(self, brief: VariationBrief, material: Material) -> tuple[Texts, int]:
        source_text = _source_text(material.source)
        brand = usable_brand(material.brand, source_text=source_text)
        bar: str | None = None
        for attempt in range(1, _TRIES + 1):
            texts = self._realiser.realise(brief, brand, material.language, attempt)
            bar = failed_bar(_fields(texts), source_text=source_text, brand=material.brand)
            if bar is None:
                return texts, attempt
        raise GenerationFailed(ErrorCode.QUALITY_GATE, f"The text misses the bar {bar}.")


def _made(brief: VariationBrief, texts: Texts, material: Material, tries: int) -> Made:
    overrides = material.overrides
    creative = {
        "hook": texts.hook,
        "caption": overrides.get("caption", texts.caption),
        "cta": overrides.get("cta", texts.cta),
        "voiceOverScript": overrides.get("voiceOverScript", texts.script),
        "shots": [
            {"startMs": start, "endMs": end, "description": description}
            for (start, end), description in zip(brief.shots, texts.shot_descriptions, strict=True)
        ],
    }
    provenance: dict[str, Any] = {
        "model": None,
        "tries": tries,
        "angle": brief.angle,
        "substitutions": {} if brief.substituted_for is None else {"hookShape": brief.substituted_for},
        "overridden": sorted(overrides),
    }
    return Made(brief.hook_shape, brief.visual_format, brief.duration_ms, creative, provenance)


def _fields(texts: Texts) -> Mapping[str, str]:
    return {"hook": texts.hook, "caption": texts.caption, "cta": texts.cta, "voiceOverScript": texts.script}


def _source_text(source: Mapping[str, Any]) -> str:
    spoken = [str(part.get("text", "")) for part in source.get("transcript") or () if isinstance(part, dict)]
    return "\n".join([str(source.get("caption") or ""), *spoken])
