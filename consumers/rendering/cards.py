"""A slideshow: 4 to 10 cards, the hook first and the call last, the script between them, every word of it."""

import itertools
from collections.abc import Sequence
from typing import Final

FEWEST: Final = 4
MOST: Final = 10


def card_texts(hook: str, script: Sequence[str], cta: str, wanted: int) -> list[str]:
    """What each card says. `wanted` cards, within the bounds; the sentences are shared out in order.

    A sentence that is the hook or the call already has its card. Where there are too few, they are cut between words.
    """
    told = [sentence for sentence in script if not same_words(sentence, hook) and not same_words(sentence, cta)]
    count = min(MOST, max(FEWEST, wanted)) - 2
    pieces = [sentence.split() for sentence in told]
    while 0 < len(pieces) < count and (longest := max(pieces, key=len)) and len(longest) > 1:
        place, half = pieces.index(longest), -(-len(longest) // 2)
        pieces[place : place + 1] = [longest[:half], longest[half:]]
    # Nothing to say on a card: the picture alone.
    pieces += [[] for _ in range(count - len(pieces))]
    edges = [len(pieces) * number // count for number in range(count + 1)]
    told = [" ".join(word for piece in pieces[a:b] for word in piece) for a, b in itertools.pairwise(edges)]
    return [hook, *told, cta]


def same_words(one: str, other: str) -> bool:
    """Whether two texts say the same, marks and capitals aside."""
    return _words(one) == _words(other)


def _words(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())
