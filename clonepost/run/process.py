"""What every role process does before and around its work: settings, logs, metrics, signals, patience at the start."""

import gc
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

import structlog
from pydantic import ValidationError

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
_TELL_SECONDS: Final = 1.0


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

    def stop(_number: int, _frame: object) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
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


def _end_in_time(stopping: threading.Event) -> None:
    """Runs until the process has ended, its threads and clients included."""
    stopping.wait()
    time.sleep(STOP_SECONDS)
    # Leases run out, records are read again, requests are repeated: leaving hard costs time and nothing else.
    waits = sorted(thread.name for thread in threading.enumerate() if thread is not threading.current_thread())
    _log.error("role_stopped_late", seconds=STOP_SECONDS, threads=waits)
    os._exit(EXIT_STOPPED_LATE)


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


def stop_when(stopping: threading.Event, stop: Callable[[], None]) -> None:
    """Call `stop` from a thread once `stopping` is set, so that signal handlers stay trivial."""

    def wait() -> None:
        stopping.wait()
        stop()

    threading.Thread(target=wait, name="stop", daemon=True).start()
