"""What is said fits the time and the pictures, and claims nothing that the brand did not give."""

import re
from itertools import pairwise
from typing import Final

from bench.generation.bars.fields import FIELDS
from bench.generation.bars.verdict import Holds
from bench.generation.tokens import split, tokens, without
from bench.generation.trial import Trial
from consumers.generation.generators import Made

_CLAIM: Final = re.compile(
    r"\b(?:award|best[- ]sell|guarantee|clinically|proven|free|discount|sale|number one|everyone loves|"
    r"thousands|millions|gratis|garantiza|premiad|descuento|kostenlos|garantiert|preisgekrönt|rabatt)\w*|[$€£%]",
    re.IGNORECASE,
)


def _no_claim(trial: Trial, one: Made) -> bool:
    given = repr(trial.job.brand).lower()
    text = " ".join(one.creative[field] for field in FIELDS)
    figures = set(re.findall(r"\d+", text)) - set(re.findall(r"\d+", given))
    return not figures and all(match.group().lower() in given for match in _CLAIM.finditer(text))


def _spoken_fits(_: Trial, one: Made) -> bool:
    script = one.creative["voiceOverScript"]
    return (0.049 * len(script) + 0.87 * len(split(script))) * 1000 <= one.duration_ms


def _no_stub(trial: Trial, one: Made) -> bool:
    spoken = sum(len(tokens(part["text"])) for part in trial.job.source.get("transcript") or ())
    # Nobody can say more than the voice can in the time.
    most = one.duration_ms / 1000 * 2.6
    return len(tokens(one.creative["voiceOverScript"])) >= 0.45 * min(spoken, most)


def _shots(trial: Trial, one: Made) -> bool:
    shots = one.creative["shots"]
    tiled = shots[0]["startMs"] == 0 and shots[-1]["endMs"] == one.duration_ms
    tiled = (
        tiled
        and all(a["endMs"] == b["startMs"] for a, b in pairwise(shots))
        and all(s["startMs"] < s["endMs"] for s in shots)
    )
    return (
        tiled
        and all(len(tokens(s["description"])) > 2 for s in shots)
        and (trial.job.layer_format != "slideshow" or 4 <= len(shots) <= 10)
    )


def _no_banned(trial: Trial, one: Made) -> bool:
    text = " ".join(without(one.creative[field], trial.own) for field in FIELDS).lower()
    banned = trial.job.brand.get("bannedWords") or ()
    return not any(re.search(rf"\b{re.escape(word.lower())}", text) for word in banned)


FIT: Final[dict[str, Holds]] = {
    "facts: none invented": _no_claim,
    "fit: spoken within the video": _spoken_fits,
    "fit: no stub": _no_stub,
    "fit: shots": _shots,
    "fit: banned words": _no_banned,
}
