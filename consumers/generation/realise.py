"""The port behind which the words of a creative are written."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from consumers.generation.plan import VariationBrief


@dataclass(frozen=True, slots=True)
class Texts:
    """The words of one variation. `shot_descriptions` has one a shot of the brief."""

    hook: str
    caption: str
    cta: str
    script: str
    shot_descriptions: tuple[str, ...]


class Realiser(Protocol):
    """Writes the words of a brief in a brand's voice. It never sees the source: only the brief that it became."""

    @property
    def name(self) -> str:
        """With the version, as events show it: `embedded/1`."""
        ...

    def realise(self, brief: VariationBrief, brand: Mapping[str, Any], language: str, attempt: int) -> Texts:
        """The texts; another `attempt` (from 1) gives others.

        `brand` has only facts that may be used here. Raises GenerationFailed or RetryLater.
        """
        ...
