"""The processes that render: few, started afresh (never forked from a process with threads), each with its caps.

A render that takes too long is killed with its process; one that takes too much memory fails inside it, or dies. They
yield the processor to everything else, and end when their parent does.
"""

import multiprocessing
import os
import resource
import threading
from collections.abc import Callable
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from pebble import ProcessFuture, ProcessPool

from storage.asset_store import LocalFolder, attempt_prefix
from storage.renders import RenderOrder

Described = list[dict[str, Any]]
Work = Callable[[RenderOrder, Path], Described]
"""Makes the assets, stores them, and describes them. A top-level function: it is sent to the process by its name."""

_RENDERS_A_PROCESS = 200
"""Then it is replaced, with whatever memory its libraries have not given back."""


class Workers:
    """`submit` up to `processes` orders at a time; more wait for their turn."""

    def __init__(self, work: Work, folder: Path, *, processes: int, seconds: float, memory_mb: int) -> None:
        self._work = work
        self._folder = folder
        self._seconds = seconds
        self._pool = ProcessPool(
            max_workers=processes,
            max_tasks=_RENDERS_A_PROCESS,
            initializer=_prepare,
            initargs=(memory_mb,),
            context=multiprocessing.get_context("spawn"),
        )

    def submit(self, order: RenderOrder) -> "ProcessFuture[Described]":
        """What was made. Raises, as the future's result, TimeoutError, MemoryError, pebble.ProcessExpired, or whatever
        the work raises."""
        return self._pool.schedule(self._work, (order, self._folder), timeout=self._seconds)

    def stop(self) -> None:
        """Kill what runs: renders are short, and done again from their beginning."""
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()


def render_into(order: RenderOrder, folder: Path) -> Described:
    """Render the order and keep its files in the folder, under its attempt."""
    from consumers.rendering.render import Asset, render  # in the worker alone: they bring a gigabyte of libraries

    store, described = LocalFolder(folder), Described()

    def keep(asset: Asset) -> None:
        store.put(f"{attempt_prefix(order.lease)}/{asset.name}", asset.content)
        described.append(asset.described())

    render(order, keep)
    return described


def _prepare(memory_mb: int) -> None:
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
