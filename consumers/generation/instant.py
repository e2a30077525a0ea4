"""The generator `instant`: a fixed tiny creative in no time. For benchmarks of the pipeline; never for a partner."""

from typing import Any, Final

from consumers.generation.generators import Made, Order, ReportStep

_CREATIVE: Final[dict[str, Any]] = {
    "hook": "A fixed hook.",
    "caption": "A fixed caption.",
    "cta": "A fixed call.",
    "voiceOverScript": "A fixed script.",
    "shots": [{"startMs": 0, "endMs": 5_000, "description": "A fixed shot."}],
}
_MADE: Final = Made("bold_claim", "text_wall", 5_000, _CREATIVE, {})


class InstantGenerator:
    """Ignores the source, the brand and the overrides."""

    name = "instant/1"
    waits = False
    # A second or two of work: leases are renewed long before they run out.
    lease_ahead = 6_000
    needs_material = False

    def generate(self, order: Order, report: ReportStep) -> Made:
        """The same creative every time."""
        return _MADE
