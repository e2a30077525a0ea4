"""A fork keeps the source's structure, a reimagining leaves it."""

from typing import Final

from bench.generation.bars.fields import FIELDS
from bench.generation.bars.verdict import Holds
from bench.generation.tokens import tokens
from bench.generation.trial import Trial
from consumers.generation.analysis.blueprint import position_of
from consumers.generation.analysis.premise import theme_phrase, theme_words
from consumers.generation.generators import Made
from consumers.generation.planning.arcs import similarity


def _shape(trial: Trial, one: Made) -> bool:
    return (
        one.hook_shape == trial.blueprint.hook_shape
        or one.provenance["substitutions"].get("hookShape") == trial.blueprint.hook_shape
    )


def kinds(one: Made) -> list[str]:
    """The arc."""
    return [beat["kind"] for beat in one.provenance["beats"]]


def _alike(trial: Trial, one: Made) -> float:
    return similarity(kinds(one), [beat.kind for beat in trial.blueprint.beats])


def _cta(one: Made) -> float | None:
    return next((beat["startMs"] / one.duration_ms for beat in one.provenance["beats"] if beat["kind"] == "cta"), None)


def _same_shots(trial: Trial, one: Made) -> bool:
    mine, theirs = len(one.creative["shots"]), len(trial.blueprint.shots)
    if trial.job.layer_format == "slideshow":
        return True
    return abs(mine - theirs) <= 1 and abs(one.duration_ms / mine / trial.blueprint.mean_shot_ms - 1) <= 0.2


def _same_cta(trial: Trial, one: Made) -> bool | None:
    mine, theirs = _cta(one), trial.blueprint.cta_start
    if mine is None or theirs is None:
        return None if theirs is None else False
    return abs(mine - theirs) <= max(0.05, trial.blueprint.mean_shot_ms / trial.blueprint.duration_ms / 2)


def _hook_length(trial: Trial, one: Made) -> bool | None:
    wanted = min(max(trial.blueprint.hook_words, 3), 14)
    return (
        abs(len(tokens(one.creative["hook"])) - wanted) <= max(2, 0.25 * wanted) if trial.blueprint.hook_words else None
    )


def _leaves(trial: Trial, one: Made) -> float:
    source = trial.blueprint
    count = len(one.creative["shots"])
    off = max(abs(count / len(source.shots) - 1), abs(one.duration_ms / count / source.mean_shot_ms - 1))
    parts = (
        float(one.hook_shape != source.hook_shape),
        1 - _alike(trial, one),
        float(one.visual_format != source.visual_format),
        min(1.0, off),
        float(position_of(_cta(one)) != source.cta_position),
    )
    return sum(parts) / len(parts)


def _two_ways(trial: Trial, one: Made) -> bool:
    source = trial.blueprint
    count = len(one.creative["shots"])
    off = max(abs(count / len(source.shots) - 1), abs(one.duration_ms / count / source.mean_shot_ms - 1))
    ways = (
        one.hook_shape != source.hook_shape,
        _alike(trial, one) <= 0.6,
        one.visual_format != source.visual_format,
        off >= 0.25,
        position_of(_cta(one)) != source.cta_position,
    )
    return sum(ways) >= 2


def _premise(trial: Trial, one: Made) -> bool | None:
    source = trial.blueprint
    row = set(tokens(" ".join(one.creative[field] for field in FIELDS)))
    if not source.premise:
        return None
    if row & set(source.premise):
        return True
    # A theme counts where its noun stands: "the trip" by "trip".
    language = trial.job.language
    known = {theme: phrase for theme in source.themes if (phrase := theme_phrase(theme, language))}
    told = any(
        row & theme_words(theme, language) or phrase.lower().split()[-1] in row for theme, phrase in known.items()
    )
    return told if known else None


FORK: Final[dict[str, Holds]] = {
    "fork: hook shape": _shape,
    "fork: beats": lambda trial, one: _alike(trial, one) >= 0.8,
    "fork: duration": lambda trial, one: (
        abs(one.duration_ms - trial.blueprint.duration_ms) <= max(500, 0.05 * trial.blueprint.duration_ms)
    ),
    "fork: shots": _same_shots,
    "fork: call to action": _same_cta,
    "fork: hook length": _hook_length,
}
REIMAGINE: Final[dict[str, Holds]] = {
    "reimagine: two ways": _two_ways,
    "reimagine: distance": lambda trial, one: _leaves(trial, one) >= 0.3,
    "reimagine: premise": _premise,
}
