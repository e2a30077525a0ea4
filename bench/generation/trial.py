"""One job of the bench, and the variations that came of it."""

import time
from dataclasses import dataclass, field

from consumers.generation.analysis.analyse import analyse
from consumers.generation.analysis.blueprint import Blueprint
from consumers.generation.composed import ComposedGenerator
from consumers.generation.gate.usable import spoken_by
from consumers.generation.generators import GenerationFailed, Made, Order
from consumers.generation.standalone import embedded
from storage.material import Material


@dataclass(frozen=True, slots=True)
class Trial:
    """What a job made. `failures` are the messages of variations whose last try missed a bar."""

    job: Material
    blueprint: Blueprint
    made: list[Made]
    failures: list[str]
    seconds: list[float] = field(default_factory=list)
    """Of the processor: what others do on the machine is no property of the copy."""

    @property
    def own(self) -> list[str]:
        """The brand's names and its call to action."""
        cta = self.job.brand.get("cta") or {}
        return [
            text
            for text in (self.job.brand.get("name"), self.job.brand.get("product"), cta.get("text"), cta.get("keyword"))
            if text
        ]

    @property
    def names(self) -> list[str]:
        """What a skeleton masks."""
        return [text for text in (self.job.brand.get("name"), self.job.brand.get("product")) if text]

    @property
    def facts(self) -> list[str]:
        """What the brand says of itself, where that is in the layer's language."""
        given = [fact for key in ("benefits", "proof") for fact in self.job.brand.get(key) or ()]
        return given if (spoken_by(self.job.brand) or "en") == self.job.language else []


def run(job: Material, generator: ComposedGenerator | None = None) -> Trial:
    """Make a job's variations, in order, in a generator that knows nothing of earlier jobs unless it is given."""
    maker = generator or embedded()
    trial = Trial(job, analyse(job.source), [], [])
    for index in range(job.variations):
        begun = time.process_time()
        try:
            trial.made.append(maker.generate(Order(str(job.job_id), index, 1, job), lambda step: None))
        except GenerationFailed as failure:
            trial.failures.append(str(failure))
        trial.seconds.append(time.process_time() - begun)
    return trial
