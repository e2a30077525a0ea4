"""What renderers of the tests do in their processes: by name, since that is how it reaches them."""

import os
import signal
import threading
from pathlib import Path

from consumers.rendering.workers import Described
from storage.asset_store import LocalFolder, attempt_prefix
from storage.renders import RenderOrder


def quick(order: RenderOrder, folder: Path) -> Described:
    """One small file."""
    LocalFolder(folder).put(f"{attempt_prefix(order.lease)}/note.txt", order.layer_format.encode())
    return [{"name": "note.txt", "kind": "card", "contentType": "text/plain", "bytes": 5, "sha256": "0" * 64}]


def hang(order: RenderOrder, folder: Path) -> Described:
    """Never returns, and never gives the interpreter a chance to be asked."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    threading.Event().wait()
    raise AssertionError(order, folder)


def eat(order: RenderOrder, folder: Path) -> Described:
    """Takes memory without end."""
    held = []
    while True:
        held.append(bytearray(64 << 20))


def die(order: RenderOrder, folder: Path) -> Described:
    """Is killed, as by the kernel when memory is short; a file is half there."""
    LocalFolder(folder).put(f"{attempt_prefix(order.lease)}/half.txt", b"half")
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("dead")


def die_once(order: RenderOrder, folder: Path) -> Described:
    """Is killed at its first attempt."""
    return die(order, folder) if order.lease.attempt == 1 else quick(order, folder)


def stumble(order: RenderOrder, folder: Path) -> Described:
    """A defect."""
    raise ValueError("a defect")
