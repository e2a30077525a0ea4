"""The pool's processes: what they make is what this process makes, and they never outlive who started them."""

import subprocess
import sys
from pathlib import Path

import psutil

from consumers.rendering.workers import Workers, render_into
from tests.awaiting import eventually
from tests.rendering.orders import order
from tests.rendering.work import hang


def test_two_processes_give_the_same_bytes(tmp_path: Path) -> None:
    described = []
    for number in range(2):
        workers = Workers(render_into, tmp_path / str(number), processes=1, seconds=60, memory_mb=2_048)
        wanted = order(duration_ms=1_500, beats=("hook",), voiceOverScript="Look at this.")
        described.append(workers.submit(wanted).result())
        workers.stop()
    assert described[0] == described[1]
    assert [asset["kind"] for asset in described[0]] == ["storyboard", "video", "captions"]


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-m", __name__, str(tmp_path)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    worker = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    eventually(
        lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, what="the worker ends as well"
    )


def _parent(folder: Path) -> None:
    """Start a worker that hangs, say which process it is, and wait."""
    workers = Workers(hang, folder, processes=1, seconds=600, memory_mb=2_048)
    future = workers.submit(order())
    own = psutil.Process()
    (worker,) = eventually(
        lambda: [p for p in own.children() if "resource_tracker" not in " ".join(p.cmdline())], what="it starts"
    )
    eventually(future.running, what="it hangs")
    sys.stdout.write(f"{worker.pid}\n")
    sys.stdout.flush()
    future.result()


if __name__ == "__main__":
    _parent(Path(sys.argv[1]))
