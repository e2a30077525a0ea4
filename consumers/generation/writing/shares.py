"""Which job may say what, so that the jobs of a brand do not repeat each other without knowing of each other. Pure.

A sentence is a frame and the phrases in it. Frames stand in the brand's own order, phrases are numbered; the sum
decides which of SHARES jobs the sentence belongs to. A frame goes round all shares as its phrases change, and a phrase
as its frames do, so every job has its part of each. Two jobs whose ordinals differ by less than SHARES own no sentence
in common.
"""

import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from consumers.generation.planning.walk import permutation
from consumers.generation.writing.lexicon import Frame, Scene
from consumers.generation.writing.phrases import BASE_OF

# More than the ten jobs that may not repeat each other, and a prime: a phrase that fills two slots goes round as well.
SHARES: Final = 11


def share(place: int, frame: Frame, scene: Scene, extra: Mapping[str, str]) -> int:
    """The share that a filled frame belongs to; the same text by way of another scene belongs to the same.

    `place` is the frame's in the brand's order of its group, `extra` what fills slots beside scene and brand.
    """
    phrases = sum(
        zlib.crc32(extra[slot].encode()) if slot in extra else scene.marks.get(BASE_OF.get(slot, slot), 0)
        for slot in frame.slots
    )
    return (place + phrases) % SHARES


@lru_cache(maxsize=1024)
def places(size: int, seed: str) -> Sequence[int]:
    """By position in the file, the place of a frame in the brand's own order."""
    found = [0] * size
    for place, position in enumerate(permutation(size, seed)):
        found[position] = place
    return tuple(found)
