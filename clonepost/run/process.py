"""What every role process does before and around its work: settings, logs, metrics, signals, patience at the start."""

import gc
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

import structlog
from pydantic import ValidationError

from clonepost.signals import hear
from runtime import failpoint, log, metrics
from runtime.backoff import full_jitter
from runtime.errors import ClonepostError, Fatal, Retryable
from runtime.settings import Settings

_log = structlog.get_logger(__name__)

Result = TypeVar("Result")

EXIT_MISCONFIGURED: Final = 78
EXIT_FATAL: Final = 70
EXIT_STOPPED_LATE: Final = 75

STOP_SECONDS: Final = 10.0
"""A process that was asked to stop ends within that, one way or the other; nothing is lost by the other."""
IN_HAND_SECONDS: Final = 9.0
"""What a process has in hand when it is asked to stop gets so long."""
_TELL_SECONDS: Final = 1.0
_FRAMES: Final = 5


class Stopping(Exception):
    """The process was asked to stop while it still waited for its dependencies."""


def load_settings() -> Settings:
    """Read the environment. Exits with a message that names each bad variable."""
    try:
        settings = Settings()
    except ValidationError as error:
        for problem in error.errors():
            name = "_".join(["CLONEPOST", *(str(part).upper() for part in problem["loc"])])
            sys.stderr.write(f"{name}: {problem['msg']}\n")
        raise SystemExit(EXIT_MISCONFIGURED) from None
    return settings


def require_database(settings: Settings) -> str:
    """The database's URL. Raises Fatal with the fix when it is not set."""
    url = settings.database_url.get_secret_value()
    if not url:
        raise Fatal("DATABASE_URL is not set: name the database, or start a local stack with `clonepost up`")
    return url


def _collect_rarely() -> None:
    """Look for cycles after tens of thousands of objects, not after every 700.

    A batch holds tens of thousands that are not garbage; walking them again and again was a quarter of all the time
    that the consumers spent in Python. Nothing of ours makes cycles a record, so memory stays flat.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@contextmanager
def role_process(role: str, settings: Settings) -> Iterator[threading.Event]:
    """Set up one role process; yields the event that SIGTERM and SIGINT set. A Fatal ends it with its own exit code."""
    log.configure(settings, role=role)
    _collect_rarely()
    metrics.serve(settings.metrics_port)
    failpoint.arm(settings.failpoints)
    stopping = threading.Event()

    hear((signal.SIGTERM, signal.SIGINT), stopping.set)
    threading.Thread(target=_end_in_time, args=(stopping,), name="stop-bound", daemon=True).start()
    _log.info("role_started")
    try:
        yield stopping
    except Stopping:
        pass
    except Fatal as error:
        _log.error("role_halted", reason=str(error))
        raise SystemExit(EXIT_FATAL) from error
    _log.info("role_stopped")


Work = Callable[[Settings, threading.Event], None]
"""A role's whole life: ends soon after the event is set."""


def run_role(role: str, work: Work) -> None:
    """Run one role process until SIGTERM or SIGINT. Exits with a message that names each bad variable.

    The main thread only waits: a call into a Kafka client can take half a minute, and a signal that comes in one is not
    heard before its end. Raises what `work` raises. What has not ended 9 s after the signal waits for a server that is
    away, and is left: everything here may be cut off anywhere, and the next process does it again.
    """
    settings = load_settings()
    with role_process(role, settings) as stopping:
        failures: list[BaseException] = []

        def guarded() -> None:
            try:
                work(settings, stopping)
            except BaseException as error:  # noqa: BLE001 -- raised again by the main thread
                failures.append(error)
            finally:
                stopping.set()

        thread = threading.Thread(target=guarded, name="work", daemon=True)
        thread.start()
        stopping.wait()
        thread.join(IN_HAND_SECONDS)
        if failures:
            raise failures[0]
        if thread.is_alive():
            _log.warning("work_left", seconds=IN_HAND_SECONDS, where=_where())
            _log.info("role_stopped")
            # At once: the interpreter's own end waits for threads and clients, which wait for the server.
            os._exit(0)


def _end_in_time(stopping: threading.Event) -> None:
    """Runs until the process has ended, its threads and clients included."""
    stopping.wait()
    time.sleep(STOP_SECONDS)
    # Leases run out, records are read again, requests are repeated: leaving hard costs time and nothing else.
    _log.error("role_stopped_late", seconds=STOP_SECONDS, where=_where())
    os._exit(EXIT_STOPPED_LATE)


def _where() -> dict[str, str]:
    """Where each other thread is, innermost first: names of code, which are nobody's secret."""
    frames = sys._current_frames()
    return {
        thread.name: " < ".join(
            f"{Path(frame.filename).name}:{frame.lineno} {frame.name}"
            for frame in reversed(traceback.extract_stack(frames[thread.ident])[-_FRAMES:])
        )
        for thread in sorted(threading.enumerate(), key=lambda thread: thread.name)
        if thread is not threading.current_thread() and thread.ident in frames
    }


def tell_ready(settings: Settings) -> None:
    """Say that the process serves from now on: to systemd, to the local stack's supervisor, or to nobody."""
    address = settings.notify_socket
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
            # Where nobody reads it the kernel lets us wait for ever, and working matters more than telling of it.
            notices.settimeout(_TELL_SECONDS)
            try:
                notices.sendto(b"READY=1\nMAINPID=%d\n" % os.getpid(), address.replace("@", "\0", 1))
            except OSError as error:
                _log.warning("readiness_not_told", reason=error.strerror or str(error))
    _log.info("role_ready")


def patiently(stopping: threading.Event, ask: Callable[[], Result]) -> Result:
    """Call `ask` until it does not raise Retryable: a role may start before its broker and database do."""
    for wait_seconds in full_jitter(first_seconds=0.1, cap_seconds=2.0):
        try:
            return ask()
        except Retryable as error:
            _log.warning("waiting_for_dependency", reason=str(error))
        if stopping.wait(wait_seconds):
            raise Stopping
    raise ClonepostError("unreachable: the waits never end")


def stop_when(stopping: threading.Event, *stops: Callable[[], None]) -> threading.Thread:
    """Call each once `stopping` is set, one after the other in a thread of their own, which is returned."""

    def wait() -> None:
        stopping.wait()
        for stop in stops:
            stop()

    thread = threading.Thread(target=wait, name="stop", daemon=True)
    thread.start()
    return thread
