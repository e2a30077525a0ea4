"""Generation in steps: analyse, plan, realise, gate, then the overrides, byte for byte."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from consumers.generation.analysis.analyse import analyse
from consumers.generation.analysis.blueprint import Blueprint
from consumers.generation.gate.finding import Finding
from consumers.generation.gate.judge import Case, as_member, judge
from consumers.generation.gate.scores import scores
from consumers.generation.gate.sets import Member
from consumers.generation.gate.source import SourceText, source_text
from consumers.generation.gate.usable import usable_brand
from consumers.generation.generators import GenerationFailed, Made, Order, ReportStep
from consumers.generation.planning.brief import VariationBrief
from consumers.generation.planning.capability import capability
from consumers.generation.planning.plan import plan
from consumers.generation.realise import Assignment, Realiser, Texts
from schemas.errors import ErrorCode
from storage.material import Material

TRIES: Final = 3
_JOBS_KEPT: Final = 32


@dataclass(frozen=True, slots=True)
class Accepted:
    """A variation that passed the gate, and how it fared."""

    brief: VariationBrief
    texts: Texts
    member: Member
    tries: int
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Job:
    """What all variations of a job share; `done` fills as they are made."""

    material: Material
    blueprint: Blueprint
    source: SourceText
    brand: Mapping[str, Any]
    done: dict[int, Accepted | GenerationFailed] = field(default_factory=dict)


class ComposedGenerator:
    """Makes a creative from the source's structure and the brand's facts, with whatever realiser writes the words.

    A repeatable realiser's variations are judged beside those before them in the job: each process makes them anew, or
    finds them in its memory of recent jobs, and they are the same everywhere. So a set needs no coordination.
    """

    def __init__(self, realiser: Realiser, *, waits: bool, lease_ahead: int | None) -> None:
        self._realiser = realiser
        self.name = realiser.name
        self.waits = waits
        self.lease_ahead = lease_ahead
        self.needs_material = True
        self._jobs: OrderedDict[str, _Job] = OrderedDict()

    def generate(self, order: Order, report: ReportStep) -> Made:
        """One creative. Raises GenerationFailed QUALITY_GATE with the bar's name when three tries miss a bar."""
        material = order.material
        if material is None:
            raise AssertionError("this generator asks for material")
        report("analyzing_source")
        job = self._known(order.job_id, material)
        report("generating")
        for index in range(0 if self._realiser.repeatable else order.index, order.index + 1):
            if index not in job.done:
                job.done[index] = self._variation(order.job_id, job, index)
        made = job.done[order.index] if self._realiser.repeatable else job.done.pop(order.index)
        if isinstance(made, GenerationFailed):
            raise made
        return _made(made, material)

    def _known(self, job_id: str, material: Material) -> _Job:
        job = self._jobs.pop(job_id, None)
        if job is None or job.material != material:
            source = source_text(material.source)
            job = _Job(
                material, analyse(material.source), source, usable_brand(material.brand, source, _language(material))
            )
        self._jobs[job_id] = job
        while len(self._jobs) > _JOBS_KEPT:
            self._jobs.popitem(last=False)
        return job

    def _variation(self, job_id: str, job: _Job, index: int) -> Accepted | GenerationFailed:
        material = job.material
        before = [made for at in range(index) if isinstance(made := job.done.get(at), Accepted)]
        brief = plan(
            job.blueprint,
            capability(job.brand),
            mode=material.mode,
            job_id=job_id,
            index=index,
            # Not the order's attempt: a crash between two attempts must not change what a request gives.
            attempt=1,
            ordinal=material.ordinal,
            layer_format=material.layer_format,
        )
        case = Case(
            brief, job.blueprint, job.source, material.brand, _language(material), frozenset(material.overrides)
        )
        try:
            return self._accept(job, case, [made.texts for made in before], [made.member for made in before])
        except GenerationFailed as failure:
            return failure

    def _accept(self, job: _Job, case: Case, texts_before: Sequence[Texts], before: Sequence[Member]) -> Accepted:
        findings: list[Finding] = []
        for attempt in range(1, TRIES + 1):
            texts = self._realiser.realise(
                Assignment(case.brief, job.brand, job.material.language, attempt, tuple(findings), tuple(texts_before))
            )
            findings = judge(texts, case, before)
            if not findings:
                mine = as_member(texts, case)
                return Accepted(case.brief, texts, mine, attempt, scores(texts, case, mine, before))
        first = findings[0]
        raise GenerationFailed(
            ErrorCode.QUALITY_GATE, f"The text misses the bar {first.bar}: {first.field}, {first.detail}."
        )


def _made(accepted: Accepted, material: Material) -> Made:
    brief, texts, overrides = accepted.brief, accepted.texts, material.overrides
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
        "tokens": None,
        **texts.made,
        "tries": accepted.tries,
        "angle": brief.angle,
        "beats": [{"kind": beat.kind, "startMs": beat.start_ms, "endMs": beat.end_ms} for beat in brief.beats],
        "scores": dict(accepted.scores),
        "substitutions": {} if brief.substituted_for is None else {"hookShape": brief.substituted_for},
        "overridden": sorted(overrides),
    }
    return Made(brief.hook_shape, brief.visual_format, brief.duration_ms, creative, provenance)


def _language(material: Material) -> str:
    return material.language.replace("_", "-").split("-")[0].lower()
