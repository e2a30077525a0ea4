"""What every role process does before and around its work: settings, logs, metrics, signals, patience at the start."""

import gc
import signal
import sys
import threading
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
    _log.info("role_started")
    try:
        yield stopping
    except Stopping:
        pass
    except Fatal as error:
        _log.error("role_halted", reason=str(error))
        raise SystemExit(EXIT_FATAL) from error
    _log.info("role_stopped")


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
