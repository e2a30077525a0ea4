"""What a provider's failure means: later, or never. Pure; nothing that a provider wrote gets into a message."""

import email.utils
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from consumers.generation.generators import GenerationFailed, RetryLater
from schemas.errors import ErrorCode

LONGEST_WAIT_SECONDS: Final = 3_600.0
"""A provider that is away for longer is no provider: the variation fails, or falls back, at once."""
_LATER: Final = frozenset({408, 409, 425, 429})
_SERVER: Final = 500


def of_status(status: int, headers: Mapping[str, str], now: datetime) -> RetryLater | GenerationFailed:
    """What an answer with an error status means. `headers` in lower case."""
    if status not in _LATER and status < _SERVER:
        return GenerationFailed(ErrorCode.PROVIDER_ERROR, f"The provider refused the request ({status}).")
    wait_seconds = retry_after_seconds(headers, now)
    if wait_seconds is not None and wait_seconds > LONGEST_WAIT_SECONDS:
        return GenerationFailed(ErrorCode.PROVIDER_ERROR, f"The provider is away for too long ({status}).")
    return RetryLater(ErrorCode.PROVIDER_ERROR, f"The provider cannot answer now ({status}).", wait_seconds)


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """How long a provider asks to be left alone: seconds or a date, as RFC 9110 has it; None where it does not say."""
    text = headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            until = email.utils.parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        seconds = (until if until.tzinfo else until.replace(tzinfo=UTC)).timestamp() - now.timestamp()
    return seconds if math.isfinite(seconds) and seconds > 0 else None
