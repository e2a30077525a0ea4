"""The port behind which the words of a creative are written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from consumers.generation.gate.finding import Finding
from consumers.generation.planning.brief import VariationBrief


@dataclass(frozen=True, slots=True)
class Texts:
    """The words of one variation. `shot_descriptions` has one a shot of the brief.

    `made` is what the realiser tells about how it wrote them (model, tokens, scene), for the provenance. `notes` is
    what it tells itself for the siblings that come after; it is kept nowhere.
    """

    hook: str
    caption: str
    cta: str
    script: str
    shot_descriptions: tuple[str, ...]
    made: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Assignment:
    """One try at one variation.

    `brand` has only facts that may be used here. `attempt` counts from 1; from the second on, `findings` are what the
    gate had against the last texts. `siblings` are the texts of the variations of this job that come before this one,
    where they can be known (see `Realiser.repeatable`); else it is empty.
    """

    brief: VariationBrief
    brand: Mapping[str, Any]
    language: str
    attempt: int = 1
    findings: tuple[Finding, ...] = ()
    siblings: tuple[Texts, ...] = ()


class Realiser(Protocol):
    """Writes the words of a brief in a brand's voice. It never sees the source: only the brief that it became."""

    @property
    def name(self) -> str:
        """With the version, as events show it: `embedded/2`."""
        ...

    @property
    def repeatable(self) -> bool:
        """Whether the same assignment always gives the same texts, at no cost.

        If so, every variation of a job is judged beside those before it, wherever each of them is made.
        """
        ...

    def realise(self, assignment: Assignment) -> Texts:
        """The texts; another `attempt` gives others. Raises GenerationFailed or RetryLater."""
        ...
