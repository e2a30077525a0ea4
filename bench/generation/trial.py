"""One job of the bench: a source, a brand and a mode, and the variations that came of it."""

import time
from dataclasses import dataclass, field
from typing import Any

from consumers.generation.analysis.analyse import analyse
from consumers.generation.analysis.blueprint import Blueprint
from consumers.generation.composed import ComposedGenerator
from consumers.generation.gate.usable import spoken_by
from consumers.generation.generators import GenerationFailed, Made, Order
from consumers.generation.standalone import embedded, standalone


@dataclass(frozen=True, slots=True)
class Trial:
    """What a job made. `failures` are the messages of variations that missed a bar three times."""

    source: dict[str, Any]
    brand: dict[str, Any]
    mode: str
    language: str
    layer_format: str
    asked: int
    blueprint: Blueprint
    made: list[Made]
    failures: list[str]
    seconds: list[float] = field(default_factory=list)
    """Of the processor: what others do on the machine is no property of the copy."""

    @property
    def own(self) -> list[str]:
        """The brand's names and its call to action."""
        cta = self.brand.get("cta") or {}
        return [
            text
            for text in (self.brand.get("name"), self.brand.get("product"), cta.get("text"), cta.get("keyword"))
            if text
        ]

    @property
    def names(self) -> list[str]:
        """What a skeleton masks."""
        return [text for text in (self.brand.get("name"), self.brand.get("product")) if text]

    @property
    def facts(self) -> list[str]:
        """What the brand says of itself, where that is in the layer's language."""
        given = [fact for key in ("benefits", "proof") for fact in self.brand.get(key) or ()]
        return given if (spoken_by(self.brand) or "en") == self.language else []


def run(
    source: dict[str, Any],
    brand: dict[str, Any],
    *,
    mode: str,
    variations: int,
    ordinal: int = 0,
    language: str = "en",
    layer_format: str = "video",
    overrides: dict[str, str] | None = None,
    generator: ComposedGenerator | None = None,
) -> Trial:
    """Make a job's variations, in order, in a generator that knows nothing of earlier jobs unless it is given."""
    material = standalone(
        source,
        brand,
        mode=mode,
        variations=variations,
        ordinal=ordinal,
        language=language,
        layer_format=layer_format,
        overrides=overrides,
    )
    maker = generator or embedded()
    trial = Trial(source, brand, mode, language, layer_format, variations, analyse(source), [], [])
    for index in range(variations):
        begun = time.process_time()
        try:
            trial.made.append(maker.generate(Order(str(material.job_id), index, 1, material), lambda step: None))
        except GenerationFailed as failure:
            trial.failures.append(str(failure))
        trial.seconds.append(time.process_time() - begun)
    return trial
