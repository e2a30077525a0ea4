"""The ports behind which a source is read and the words of a creative are written."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from consumers.generation.analysis.premise import Premise
from consumers.generation.gate.finding import Finding
from consumers.generation.planning.brief import VariationBrief

MOST_TRIES: Final = 4
"""What fails at the gate is tried again, at most three times."""


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
    gate had against `last`, the texts of the try before (None where they were not even texts). `siblings` are the texts
    of other variations of this job that this one must differ from, where they are known (see `Realiser.repeatable`).
    """

    brief: VariationBrief
    brand: Mapping[str, Any]
    language: str
    variation_id: uuid.UUID
    attempt: int = 1
    findings: tuple[Finding, ...] = ()
    last: Texts | None = None
    siblings: tuple[Texts, ...] = ()


class Unusable(Exception):
    """What was written cannot even be judged; the next try hears why."""

    def __init__(self, findings: Sequence[Finding], made: Mapping[str, Any]) -> None:
        super().__init__(findings[0].detail)
        self.findings = tuple(findings)
        self.made = made


class Realiser(Protocol):
    """Writes the words of a brief in a brand's voice. It never sees the source: only the brief that it became.

    Called from several threads where its generator `waits`.
    """

    @property
    def name(self) -> str:
        """With the version, as events show it: `embedded/4`."""
        ...

    @property
    def repeatable(self) -> bool:
        """Whether the same assignment always gives the same texts, at no cost.

        If so, every variation of a job is judged beside those before it, wherever each of them is made. If not, beside
        those that this process has made, and what was accepted once is not written again.
        """
        ...

    @property
    def tries(self) -> int:
        """How many assignments a variation gets, at most MOST_TRIES: the first, and those that carry findings."""
        ...

    def realise(self, assignment: Assignment) -> Texts:
        """The texts; another `attempt` gives others.

        Raises Unusable where what was written is no creative, GenerationFailed or RetryLater.
        """
        ...


class Reader(Protocol):
    """Says what a source is about. The only one who sees its text besides analysis and gate."""

    def read(self, variation_id: uuid.UUID, source: Mapping[str, Any], known: Premise) -> Premise:
        """The premise, made of single words of the source and themes of ours alone; `known` where that gives none.

        A job's source is read once; `variation_id` is the variation that asked first.

        Raises GenerationFailed or RetryLater.
        """
        ...
