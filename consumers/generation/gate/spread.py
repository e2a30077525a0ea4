"""The bars on how a set spreads, judged on its plan. Pure.

The plan of a job is the same wherever one of its variations is made, so these hold for the set although nobody sees all
of it: each variation answers for the plan up to itself, and a set of any size begins with the smaller ones.
"""

from collections.abc import Sequence
from typing import Final

from consumers.generation.analysis.blueprint import Blueprint
from consumers.generation.gate.finding import Finding
from consumers.generation.planning.brief import VariationBrief

_HOOK_SHAPES: Final = 4
_ARCS: Final = 3
_ANGLES: Final = 4
_OTHER_SHAPE: Final = 0.8


def spread(planned: Sequence[VariationBrief], source: Blueprint) -> list[Finding]:
    """What the last of these briefs, in the order of the set, leaves the set short of."""
    size = len(planned)
    findings = []
    if len({brief.angle for brief in planned}) < min(size, _ANGLES):
        findings.append(Finding("angles_of_a_set", "voiceOverScript", "the set is told from too few angles"))
    if not planned or planned[-1].mode != "reimagine":
        return findings
    if len({brief.hook_shape for brief in planned}) < min(size, _HOOK_SHAPES):
        findings.append(Finding("hook_shapes_of_a_set", "hook", "the set has too few hook shapes"))
    if sum(brief.hook_shape != source.hook_shape for brief in planned) < _OTHER_SHAPE * size:
        findings.append(Finding("other_hook_shapes", "hook", "too many of the set open as the source does"))
    if len({tuple(beat.kind for beat in brief.beats) for brief in planned}) < min(size, _ARCS):
        findings.append(Finding("arcs_of_a_set", "voiceOverScript", "the set has too few arcs"))
    return findings
