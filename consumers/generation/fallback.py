"""What a generator cannot make, another makes instead, and the creative says so."""

from consumers.generation.generators import GenerationFailed, Generator, Made, Order, ReportStep, RetryLater
from consumers.generation.results import MAX_RETRIES


class FallbackGenerator:
    """Asks the first generator, and the second for what the first one gives up: never a creative in disguise."""

    def __init__(self, first: Generator, second: Generator) -> None:
        self._first = first
        self._second = second
        self.name = first.name
        self.waits = first.waits
        self.lease_ahead = first.lease_ahead
        self.needs_material = first.needs_material or second.needs_material

    def generate(self, order: Order, report: ReportStep) -> Made:
        """The creative of the first; else of the second, labelled; else the first one's failure.

        RetryLater of the first is handed on as long as a retry is to come.
        """
        try:
            return self._first.generate(order, report)
        except RetryLater as later:
            if order.retries < MAX_RETRIES:
                raise
            failure: RetryLater | GenerationFailed = later
        except GenerationFailed as failed:
            failure = failed
        try:
            made = self._second.generate(order, report)
        except GenerationFailed:
            raise failure from None
        spent = {key: value for key, value in failure.made.items() if key != "model"}
        why = {"generator": self._first.name, "model": failure.made.get("model"), "code": failure.code}
        provenance = {
            **made.provenance,
            **spent,
            "generator": self._second.name,
            "fallbackFrom": {**why, "message": str(failure)},
        }
        return Made(made.hook_shape, made.visual_format, made.duration_ms, made.creative, provenance)
