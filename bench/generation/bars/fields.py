"""The texts of a creative that are judged."""

from typing import Final

from bench.generation.tokens import without
from bench.generation.trial import Trial
from consumers.generation.generators import Made

FIELDS: Final = ("hook", "caption", "voiceOverScript")


def parts(trial: Trial, one: Made) -> list[str]:
    """The fields, cut at the brand's own words."""
    return [part for field in FIELDS for part in without(one.creative[field], trial.own).split("|")]
