"""A batch loop in a thread of its own."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from runtime.batch_loop import BatchLoop


@contextmanager
def running(loop: BatchLoop) -> Iterator[None]:
    """It runs until the block ends; raises what it ended with."""
    with ThreadPoolExecutor(1) as pool:
        ran = pool.submit(loop.run)
        try:
            yield
        finally:
            loop.stop()
            ran.result()
