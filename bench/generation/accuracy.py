"""How often analysis says what a person said."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from bench.generation.corpus import Half, sources
from consumers.generation.analysis.analyse import analyse
from consumers.generation.planning.arcs import similarity

LABELS: Final = ("hookShape", "visualFormat", "ctaKind", "ctaPosition", "pacing")


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Right and judged, by label; the mean similarity of the order of beats, and how often it is the same.

    None where nobody labelled the beats.
    """

    right: Counter[str]
    judged: Counter[str]
    beats: float | None
    same_beats: float | None


def accuracy(half: Half) -> Accuracy:
    """The accuracy over one half; a label that the person left out is not judged."""
    right: Counter[str] = Counter()
    judged: Counter[str] = Counter()
    beats: list[float] = []
    for item in sources(half):
        found = analyse(item.source)
        told = dict(
            zip(
                LABELS,
                (found.hook_shape, found.visual_format, found.cta_kind, found.cta_position, found.pacing),
                strict=True,
            )
        )
        for label in LABELS:
            wanted = item.labels[label]
            if wanted is None and label in ("visualFormat", "pacing"):
                continue
            judged[label] += 1
            right[label] += told[label] == wanted
        if item.labels["beats"] is not None:
            beats.append(similarity([beat.kind for beat in found.beats], item.labels["beats"]))
    if not beats:
        return Accuracy(right, judged, None, None)
    return Accuracy(right, judged, sum(beats) / len(beats), sum(one == 1 for one in beats) / len(beats))
