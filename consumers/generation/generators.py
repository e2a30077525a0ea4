"""The port between running variations and making them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, Protocol, get_args

from storage.material import Material

Step = Literal["analyzing_source", "generating", "rendering"]
STEPS: Final = frozenset(get_args(Step))
ReportStep = Callable[[Step], None]


@dataclass(frozen=True, slots=True)
class Made:
    """A finished creative. `creative` and `provenance` are what GET content shows.

    `provenance` names a `generator` only where it is another than the one that was asked.
    """

    hook_shape: str
    visual_format: str
    duration_ms: int
    creative: dict[str, Any]
    provenance: dict[str, Any]


class Order(NamedTuple):
    """One variation to make. `attempt` counts from 1; `material` is None for a generator that needs none.

    `retries` counts the RetryLater of earlier attempts: less than the attempts where a stop or a loss ended some.
    """

    job_id: str
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody calls on an order
    attempt: int
    material: Material | None
    retries: int = 0


class GenerationFailed(Exception):
    """The variation cannot be made; trying again would not help. `code` is what the variation's error shows.

    `made` is what trying has told or cost (model, tokens), for the provenance.
    """

    def __init__(self, code: str, message: str, made: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.made: Mapping[str, Any] = made or {}


class RetryLater(Exception):
    """The variation may succeed later. `wait_seconds` None leaves the wait to the retry ladder; `made` as above."""

    def __init__(
        self, code: str, message: str, wait_seconds: float | None = None, made: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.wait_seconds = wait_seconds
        self.made: Mapping[str, Any] = made or {}


class Generator(Protocol):
    """Makes variations. Called from several threads when `waits`, else from one."""

    @property
    def name(self) -> str:
        """As shown in events, with the version: `embedded/1`."""
        ...

    @property
    def waits(self) -> bool:
        """Whether it spends its time waiting (for a provider), so that several may run in one process."""
        ...

    @property
    def lease_ahead(self) -> int | None:
        """How many variations one process may hold leased: enough to keep it busy, few enough to share the work.

        None: as many as it runs at the same time, which is right for slow work.
        """
        ...

    @property
    def needs_material(self) -> bool:
        """Whether `Order.material` must be loaded."""
        ...

    def generate(self, order: Order, report: ReportStep) -> Made:
        """Make one variation. Deterministic in the order where the generator can be.

        Raises GenerationFailed or RetryLater.
        """
        ...
