"""Generation in steps: analyse, plan, realise, gate, then the overrides, byte for byte."""

import threading
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from consumers.generation.analysis.analyse import analyse
from consumers.generation.analysis.blueprint import Blueprint
from consumers.generation.analysis.premise import Premise
from consumers.generation.gate.finding import Finding
from consumers.generation.gate.judge import Case, as_member, judge
from consumers.generation.gate.scores import scores
from consumers.generation.gate.sets import Member
from consumers.generation.gate.source import SourceText, source_text
from consumers.generation.gate.usable import facts_of, usable_brand
from consumers.generation.generators import GenerationFailed, Made, Order, ReportStep
from consumers.generation.planning.brief import VariationBrief
from consumers.generation.planning.capability import capability
from consumers.generation.planning.plan import plan
from consumers.generation.realise import MOST_TRIES, Assignment, Reader, Realiser, Texts, Unusable
from schemas.errors import ErrorCode
from schemas.ids import JobId, variation_id
from storage.material import Material

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
class _Studied:
    """What a job's source and brand are to each of its variations."""

    blueprint: Blueprint
    source: SourceText
    brand: Mapping[str, Any]
    briefs: tuple[VariationBrief, ...]


@dataclass(slots=True)
class _Job:
    """What all variations of a job share. `lock` guards what fills as they are made."""

    material: Material
    lock: threading.Lock = field(default_factory=threading.Lock)
    studied: _Studied | None = None
    done: dict[int, Accepted | GenerationFailed] = field(default_factory=dict)


class ComposedGenerator:
    """Makes a creative from the source's structure and the brand's facts, with whatever realiser writes the words.

    A repeatable realiser's variations are judged beside those before them in the job: each process makes them anew, or
    finds them in its memory of recent jobs, and they are the same everywhere. So a set needs no coordination.
    Those of any other realiser are judged beside what this process has accepted, in the order in which that happens.
    """

    def __init__(
        self, realiser: Realiser, *, waits: bool, lease_ahead: int | None, reader: Reader | None = None
    ) -> None:
        if not 1 <= realiser.tries <= MOST_TRIES:
            raise ValueError(f"{realiser.name} asks for {realiser.tries} tries; 1 to {MOST_TRIES} are allowed.")
        self._realiser = realiser
        self._reader = reader
        self.name = realiser.name
        self.waits = waits
        self.lease_ahead = lease_ahead
        self.needs_material = True
        self._jobs: OrderedDict[str, _Job] = OrderedDict()
        self._lock = threading.Lock()

    def generate(self, order: Order, report: ReportStep) -> Made:
        """One creative. Raises GenerationFailed QUALITY_GATE with the bar's name when its last try misses a bar."""
        material = order.material
        if material is None:
            raise AssertionError("this generator asks for material")
        report("analyzing_source")
        job = self._known(order.job_id, material)
        studied = self._studied(job, order.index)
        report("generating")
        for index in range(0 if self._realiser.repeatable else order.index, order.index + 1):
            if index not in job.done:
                self._variation(job, studied, index)
        made = job.done[order.index]
        if isinstance(made, GenerationFailed):
            raise made
        return _made(made, material)

    def _known(self, job_id: str, material: Material) -> _Job:
        with self._lock:
            job = self._jobs.pop(job_id, None)
            if job is None or job.material != material:
                job = _Job(material)
            self._jobs[job_id] = job
            while len(self._jobs) > _JOBS_KEPT:
                self._jobs.popitem(last=False)
        return job

    def _studied(self, job: _Job, index: int) -> _Studied:
        # Under the lock: the source is read once, whichever variations come first.
        with job.lock:
            if job.studied is None:
                material = job.material
                source, blueprint = source_text(material.source), analyse(material.source)
                if self._reader is not None:
                    known = Premise(blueprint.premise, blueprint.themes)
                    premise = self._reader.read(_variation_id(material, index), material.source, known)
                    blueprint = replace(blueprint, premise=premise.keywords, themes=premise.themes)
                brand = usable_brand(material.brand, source, _language(material))
                job.studied = _Studied(blueprint, source, brand, _briefs(material, blueprint, brand))
            return job.studied

    def _variation(self, job: _Job, studied: _Studied, index: int) -> None:
        """Fill `done`. A failure is kept only where it would be the same again."""
        material = job.material
        case = Case(
            brief=studied.briefs[index],
            blueprint=studied.blueprint,
            source=studied.source,
            brand=material.brand,
            language=_language(material),
            overridden=frozenset(material.overrides),
            planned=studied.briefs[: index + 1],
            facts=facts_of(studied.brand),
            variations=material.variations,
            alone=not self._realiser.repeatable,
        )
        try:
            self._accept(job, studied, case)
        except GenerationFailed as failure:
            if not self._realiser.repeatable:
                raise
            job.done[index] = failure

    def _accept(self, job: _Job, studied: _Studied, case: Case) -> None:
        index = case.brief.index
        findings: tuple[Finding, ...] = ()
        last: Texts | None = None
        made: Mapping[str, Any] = {}
        for attempt in range(1, self._realiser.tries + 1):
            assignment = Assignment(
                brief=case.brief,
                brand=studied.brand,
                language=job.material.language,
                variation_id=_variation_id(job.material, index),
                attempt=attempt,
                findings=findings,
                last=last,
                siblings=tuple(one.texts for one in self._siblings(job, index)),
            )
            try:
                last = self._realiser.realise(assignment)
            except Unusable as unusable:
                findings, last, made = unusable.findings, None, unusable.made
                continue
            made = last.made
            # Judged and noted at once: of two that would repeat each other, one must see the other.
            with job.lock:
                members = [one.member for one in self._siblings(job, index)]
                findings = tuple(judge(last, case, members))
                if not findings:
                    mine = as_member(last, case)
                    measured = scores(last, case, mine, members)
                    job.done[index] = Accepted(case.brief, last, mine, attempt, measured)
                    return
        first = findings[0]
        message = f"The text misses the bar {first.bar}: {first.field}, {first.detail}."
        raise GenerationFailed(ErrorCode.QUALITY_GATE, message, made)

    def _siblings(self, job: _Job, index: int) -> list[Accepted]:
        """What a variation is judged beside, by index."""
        done = sorted(job.done.copy().items())
        return [
            made
            for at, made in done
            if isinstance(made, Accepted) and (at < index or (at != index and not self._realiser.repeatable))
        ]


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


def _briefs(material: Material, blueprint: Blueprint, brand: Mapping[str, Any]) -> tuple[VariationBrief, ...]:
    can = capability(brand)
    return tuple(
        plan(
            blueprint,
            can,
            mode=material.mode,
            job_id=str(material.job_id),
            index=index,
            # Not the order's attempt: a crash between two attempts must not change what a request gives.
            attempt=1,
            ordinal=material.ordinal,
            layer_format=material.layer_format,
        )
        for index in range(max(material.variations, 1))
    )


def _variation_id(material: Material, index: int) -> uuid.UUID:
    return variation_id(JobId(material.job_id), index)


def _language(material: Material) -> str:
    return material.language.replace("_", "-").split("-")[0].lower()
