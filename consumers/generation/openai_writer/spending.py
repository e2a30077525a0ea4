"""What calls of a provider cost, added up by what they were made for."""

import threading
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

_KEPT: Final = 4_096
_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars for a million tokens; None where the operator gave none."""

    input_usd: float | None = None
    output_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """Calls that were answered, and the tokens that the answers told of."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
        )

    def told(self, prices: Prices) -> dict[str, Any]:
        """As a variation's provenance shows it. `costUsd` is None without both prices."""
        cost_usd = None
        if prices.input_usd is not None and prices.output_usd is not None:
            cost_usd = round(
                (self.input_tokens * prices.input_usd + self.output_tokens * prices.output_usd) / _MILLION, 6
            )
        tokens = {"input": self.input_tokens, "output": self.output_tokens, "calls": self.calls}
        return {"tokens": tokens, "costUsd": cost_usd}


class Ledger:
    """What each variation has cost in this process, its failed attempts included. Thread-safe; forgets the oldest."""

    def __init__(self, prices: Prices | None = None) -> None:
        self._prices = prices or Prices()
        self._spent: OrderedDict[uuid.UUID, Spent] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, what_for: uuid.UUID, spent: Spent) -> None:
        """Add a call."""
        with self._lock:
            self._spent[what_for] = self._spent.pop(what_for, Spent()) + spent
            while len(self._spent) > _KEPT:
                self._spent.popitem(last=False)

    def told(self, what_for: uuid.UUID) -> dict[str, Any]:
        """The sum so far, as provenance shows it."""
        with self._lock:
            return self._spent.get(what_for, Spent()).told(self._prices)
