"""The numbers behind the bars, as a variation records them. Pure."""

from collections.abc import Sequence

from consumers.generation.gate.fit import spoken_seconds
from consumers.generation.gate.judge import Case
from consumers.generation.gate.own import own_texts, pieces
from consumers.generation.gate.sets import Member, distinct_2, jaccard, self_bleu
from consumers.generation.gate.structure import beat_similarity, structural_distance
from consumers.generation.realise import Texts
from consumers.generation.texts import content_words, words


def scores(texts: Texts, case: Case, mine: Member, siblings: Sequence[Member]) -> dict[str, float]:
    """What was measured of an accepted variation; those between variations are over it and the ones before it."""
    own = own_texts(case.brand)
    content = {
        word for text in (texts.caption, texts.script) for part in pieces(text, own) for word in content_words(part)
    }
    everyone = [*siblings, mine]
    found = {
        "sourceContent": len(content & case.source.content) / len(content) if content else 0.0,
        "beatSimilarity": beat_similarity(case.brief, case.blueprint),
        "structuralDistance": structural_distance(case.brief, case.blueprint),
        "spokenSeconds": spoken_seconds(texts.script),
        "spokenWords": float(len(words(texts.script))),
        "distinct2": distinct_2(everyone),
        "selfBleu4": self_bleu(everyone),
        "maxJaccard": max((jaccard(mine.words, other.words) for other in siblings), default=0.0),
    }
    return {name: round(value, 3) for name, value in found.items()}
