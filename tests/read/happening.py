"""Waiting on the event loop; `tests.awaiting` waits in a thread."""

import asyncio
from collections.abc import Callable


async def happens(look: Callable[[], bool], *, what: str, bound_seconds: float = 30.0) -> None:
    """Return when `look` is true; fail with `what` when it never is. The bound only ends a test that would hang."""
    try:
        async with asyncio.timeout(bound_seconds):
            while not look():  # noqa: ASYNC110 -- the condition is another process's row, which sets no event
                await asyncio.sleep(0.005)
    except TimeoutError as error:
        raise AssertionError(f"did not happen: {what}") from error
